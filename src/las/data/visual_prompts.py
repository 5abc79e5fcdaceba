"""A question about an image as a vision-language model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from las.data.easy_vqa import Question, read_image


def prompt(processor: Any, question: str) -> str:
    """Put one image and a question into the conversation of the model's chat template."""
    content = [{"type": "image"}, {"type": "text", "text": question}]
    text: str = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    return text


def question_batch(
    processor: Any, questions: Sequence[Question], *, answered: bool = False
) -> dict[str, Tensor]:
    """Read the images of some questions, and make forward kwargs of both.

    Rows are padded on the left, so that an answer can be generated behind each.

    Arguments:
        processor: the model's.
        questions: at least one.
        answered: whether the right answers follow the questions.

    Raises:
        AssetError, FileNotFoundError: an image is damaged or missing.
    """
    return dict(
        processor(
            images=[[read_image(question.image)] for question in questions],
            text=[
                prompt(processor, question.text) + (f" {question.answer}" if answered else "")
                for question in questions
            ],
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
    )

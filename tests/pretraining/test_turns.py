"""A row of many turns teaches what the turns teach one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from las.data.easy_vqa import read_image, read_questions
from las.data.visual_prompts import prompt
from las.pretraining.turns import NO_LOSS, conversation, packed
from las.pretraining.vision_language import untrained
from tests.pretraining.seeing import ARCHITECTURES, IMAGE_SIZE


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_turns_in_one_row_give_the_logits_of_turns_alone(shapes: Path, family: str) -> None:
    questions = read_questions(shapes, "train")[:6]  # three about each of two pictures
    texts = [text for q in questions for text in (q.text, q.answer)]
    model, processor = untrained(ARCHITECTURES[family], IMAGE_SIZE, texts, seed=0)
    model.eval()
    images = [read_image(q.image) for q in questions]
    turns = [
        conversation(model, processor, image, q.text, q.answer)
        for image, q in zip(images, questions, strict=True)
    ]
    row = packed([turns[:2], turns[3:6]], model.config.image_token_id)  # of different lengths
    pixels = processor.image_processor([images[0], images[3]], return_tensors="pt")
    together = model(**pixels, **row)

    for b, members in enumerate(([0, 1], [3, 4, 5])):
        places = (row["labels"][b] != NO_LOSS).nonzero().flatten()
        for place, number in zip(places.split(turns[0].answer), members, strict=True):
            question, turn = questions[number], turns[number]
            text = (
                prompt(processor, question.text) + question.answer + processor.tokenizer.eos_token
            )
            alone = processor(images=[images[number]], text=[text], return_tensors="pt")
            assert alone["input_ids"][0].tolist() == turn.input_ids.tolist()
            expected = model(**alone).logits[0, -turn.answer - 1 : -1]
            torch.testing.assert_close(
                together.logits[b, place - 1], expected, rtol=1e-4, atol=1e-5
            )
            assert row["labels"][b, place].tolist() == turn.input_ids[-turn.answer :].tolist()

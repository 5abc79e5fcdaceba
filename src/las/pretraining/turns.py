"""Several questions about one image in one row, each answered as if it were the only one.

LLaVA trains on conversations for the same reason: the image is read once. Here no turn sees
another, and each has the positions that it would have alone, so that a row of many turns teaches
exactly what they would teach one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from las.data.visual_prompts import prompt

NO_LOSS = -100
"""The label of a token that is not to be predicted, as transformers has it."""


@dataclass(frozen=True)
class Turn:
    """A conversation about one image with a single question.

    Attributes:
        input_ids: (L,) the whole conversation: image, question, answer.
        positions: (L,) or, with several axes, (axes, L).
        answer: how many of the last tokens are the answer.
    """

    input_ids: Tensor
    positions: Tensor
    answer: int


def conversation(
    model: Any, processor: Any, image: Image.Image, question: str, answer: str
) -> Turn:
    """Put a question about an image and its answer into one conversation.

    Arguments:
        model, processor: a vision-language model's.
        image: of the size of all others that are to be packed with it.
        question, answer: what is asked, and what the model is to say.
    """
    inputs = processor(images=[image], text=[prompt(processor, question)], return_tensors="pt")
    tokenizer = processor.tokenizer
    answered = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    input_ids = torch.cat([inputs["input_ids"][0], torch.tensor(answered)])
    if "image_grid_thw" in inputs:  # Qwen2-VL: three axes
        marks = nn.functional.pad(inputs["mm_token_type_ids"], (0, len(answered)))
        positions = model.model.get_rope_index(
            input_ids[None], mm_token_type_ids=marks, image_grid_thw=inputs["image_grid_thw"]
        )[0][:, 0]
    else:
        positions = torch.arange(len(input_ids))
    return Turn(input_ids, positions, len(answered))


def packed(rows: Sequence[Sequence[Turn]], image_token: int) -> dict[str, Tensor]:
    """Pack the turns about each image into one row; what stands before the questions is shared.

    Arguments:
        rows: the turns about each image; all begin alike, up to the last image token.
        image_token: its id.

    Returns:
        forward kwargs: `input_ids` and `labels`, (B, L); `position_ids`, (B, L) or (axes, B, L);
        `attention_mask`, (B, 1, L, L), true where a token (second last axis) sees another.
    """
    first = rows[0][0]
    shared = int((first.input_ids == image_token).nonzero().max()) + 1
    length = max(shared + sum(len(turn.input_ids) - shared for turn in row) for row in rows)
    shape = (len(rows), length)
    input_ids = torch.zeros(shape, dtype=torch.long)
    positions = torch.zeros((*first.positions.shape[:-1], *shape), dtype=torch.long)
    labels = torch.full(shape, NO_LOSS)
    turn_of = torch.full(shape, -1)  # 0 is what all share, -1 padding
    for b, row in enumerate(rows):
        input_ids[b, :shared] = row[0].input_ids[:shared]
        positions[..., b, :shared] = row[0].positions[..., :shared]
        turn_of[b, :shared] = 0
        begin = shared
        for number, turn in enumerate(row, start=1):
            end = begin + len(turn.input_ids) - shared
            input_ids[b, begin:end] = turn.input_ids[shared:]
            positions[..., b, begin:end] = turn.positions[..., shared:]
            labels[b, end - turn.answer : end] = turn.input_ids[-turn.answer :]
            turn_of[b, begin:end] = number
            begin = end
    visible = (turn_of[:, None, :] == 0) | (turn_of[:, None, :] == turn_of[:, :, None])
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return {
        "input_ids": input_ids,
        "position_ids": positions,
        "attention_mask": (visible & causal)[:, None],
        "labels": labels,
    }

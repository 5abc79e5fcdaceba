"""A small model of each kind, converted once."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import las
from tests.tiny_models import plain


def tokens(rows: int = 2, length: int = 12, padding: int = 0) -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 90, (rows, length), generator=torch.Generator().manual_seed(7))
    mask = torch.ones_like(ids)
    if padding:
        mask[-1, -padding:] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture(scope="session")
def spiking() -> dict[str, Any]:
    """A decoder with gated layers and an encoder, in float64, where both paths are equal."""
    return {
        name: las.convert(model, [tokens(), tokens(1, 20)]).double()
        for name, model in (("llama", plain.llama()), ("bert", plain.bert()))
    }

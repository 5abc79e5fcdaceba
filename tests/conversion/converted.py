"""Tiny models and their conversions, made once for all checks."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

from torch import Tensor

import las
from tests.tiny_models import TINY_MODELS
from tests.tiny_models.tiny_model import Batch, TinyModel


@dataclass(frozen=True)
class Pair:
    """A model and its conversion."""

    tiny: TinyModel
    dense: Any
    spiking: Any

    def in_float64(self) -> Any:
        return copy.deepcopy(self.spiking).double()

    def batch(self, seed: int = 1, **sizes: int) -> Batch:
        (batch,) = self.tiny.batches(1, seed, **sizes)
        return batch


@cache
def _attempt(name: str) -> Pair | Exception:
    tiny = TINY_MODELS[name]
    try:
        return Pair(tiny, tiny.build(), las.convert(tiny.build(), tiny.batches()))
    except Exception as error:
        return error


def converted(name: str) -> Pair:
    """A pair; where the conversion fails, it fails alike for every check, and is tried once."""
    made = _attempt(name)
    if isinstance(made, Exception):
        raise made
    return made


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())

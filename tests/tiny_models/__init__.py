"""The tests' tiny models: one record for each head of each architecture.

A new architecture is one entry of one of these modules.
"""

from __future__ import annotations

from typing import Any

from tests.tiny_models import (
    audio,
    encoder_decoders,
    encoders,
    experts,
    language,
    vision,
    vision_language,
)
from tests.tiny_models.tiny_model import Batch, TinyModel, index

TINY_MODELS: dict[str, TinyModel] = index(
    *language.DECODERS.values(),
    *language.HEADS.values(),
    *experts.MODELS.values(),
    *encoders.ENCODERS.values(),
    *encoder_decoders.MODELS.values(),
    *vision.MODELS.values(),
    *vision_language.MODELS.values(),
    *audio.MODELS.values(),
)


def build(name: str) -> Any:
    """The tiny model of a name."""
    return TINY_MODELS[name].build()


def batches(name: str, count: int = 4, seed: int = 1, **sizes: int) -> list[Batch]:
    """Random batches for it."""
    return TINY_MODELS[name].batches(count, seed, **sizes)

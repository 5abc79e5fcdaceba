"""The tests' tiny models: one record for each head of each architecture.

A new architecture is one entry of one of these modules.
"""

from __future__ import annotations

from dataclasses import replace
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

_ALL = index(
    *language.DECODERS.values(),
    *language.HEADS.values(),
    *experts.MODELS.values(),
    *encoders.ENCODERS.values(),
    *encoder_decoders.MODELS.values(),
    *vision.MODELS.values(),
    *vision_language.MODELS.values(),
    *audio.MODELS.values(),
)

REFUSED = {
    "apertus": "XIELUActivation",
    "convbert-mlm": "ConvBertSelfAttention",
    "hubert": "GroupNorm",
    "phi-moe": "PhimoeTopKRouter",
    "roformer-mlm": "RoFormerSelfAttention",
    "vit-mae": "ViTMAEEmbeddings",
    "wav2vec2": "GroupNorm",
}
"""What las does not convert yet, and the module that the refusal names."""

TINY_MODELS: dict[str, TinyModel] = {
    name: replace(tiny, refused=REFUSED.get(name, "")) for name, tiny in _ALL.items()
}


def build(name: str) -> Any:
    """The tiny model of a name."""
    return TINY_MODELS[name].build()


def batches(name: str, count: int = 4, seed: int = 1, **sizes: int) -> list[Batch]:
    """Random batches for it."""
    return TINY_MODELS[name].batches(count, seed, **sizes)

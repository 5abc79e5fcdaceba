"""Which spike-equivalent stands for which module: one table, filled by a decorator.

A new architecture owes one function per module class that is new, in `las.conversion.families`;
most need only names there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from las.errors import UnsupportedModelError

Converter = Callable[[Any], nn.Module]
Given = TypeVar("Given", bound=Callable[..., nn.Module])

CONVERTERS: dict[str | type, Converter] = {}

PASSIVE = {
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "GPTNeoXRotaryEmbedding",
    "Gemma2RotaryEmbedding",
    "Gemma2TextScaledWordEmbedding",
    "Gemma3RotaryEmbedding",
    "Gemma3TextScaledWordEmbedding",
    "Identity",
    "LlamaRotaryEmbedding",
    "MistralRotaryEmbedding",
    "ModuleDict",
    "ModuleList",
    "OPTLearnedPositionalEmbedding",
    "Phi3RotaryEmbedding",
    "Qwen2RotaryEmbedding",
    "Qwen2VLRotaryEmbedding",
    "Qwen2VLVisionRotaryEmbedding",
    "Qwen2_5_VLRotaryEmbedding",
    "Qwen2_5_VLVisionRotaryEmbedding",
    "Qwen3RotaryEmbedding",
    "Sequential",
}
"""Leaf modules that are left alone: look-ups, constants, losses, what does nothing in inference."""


def converts(*classes: str | type) -> Callable[[Given], Given]:
    """Register the spike-equivalent of module classes.

    Arguments:
        classes: the names of classes of torch or transformers, which then need no import, or
            classes of your own.
    """

    def register(converter: Given) -> Given:
        for one in classes:
            CONVERTERS[one] = converter
        return converter

    return register


def converter_of(module: nn.Module) -> Converter | None:
    """What converts a module, or None. A name stands for a class of torch or transformers only."""
    kind = type(module)
    if kind.__module__.partition(".")[0] in ("torch", "transformers"):
        return CONVERTERS.get(kind, CONVERTERS.get(kind.__name__))
    return CONVERTERS.get(kind)


def convert_module(module: nn.Module) -> nn.Module:
    """The spike-equivalent of one module.

    Raises:
        UnsupportedModelError: there is none.
    """
    converter = converter_of(module)
    if converter is None:
        raise UnsupportedModelError(
            f"{type(module).__name__} has no spike-equivalent; register one with "
            "las.conversion.converts"
        )
    return converter(module)

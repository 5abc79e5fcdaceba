"""Which spike-equivalent stands for which module: one table, filled by a decorator.

A new architecture owes one function per module class that is new; most need none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from las.components.activation import SpikingActivation, SpikingReLU
from las.components.attention import CHILD, SpikingAttention
from las.components.cache import code_on_entry
from las.components.feed_forward import SpikingGatedFeedForward
from las.components.linear import SpikingLinear, spiking_linear
from las.components.norm import SpikingNorm
from las.errors import UnsupportedModelError

Converter = Callable[[Any], nn.Module]

CONVERTERS: dict[str | type, Converter] = {}

PASSIVE = {
    "Dropout",
    "Embedding",
    "Identity",
    "LlamaRotaryEmbedding",
    "ModuleDict",
    "ModuleList",
    "Sequential",
}
"""Leaf modules that are left alone: look-ups, constants, and what does nothing in inference."""


def converts(*classes: str | type) -> Callable[[Converter], Converter]:
    """Register the spike-equivalent of module classes.

    Arguments:
        classes: the names of classes of torch or transformers, which then need no import, or
            classes of your own.
    """

    def register(converter: Converter) -> Converter:
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


@converts("Linear", "Conv1D")
def _linear(module: Any) -> nn.Module:
    return spiking_linear(module)


@converts("LayerNorm")
def _layer_norm(module: Any) -> nn.Module:
    return SpikingNorm(module.weight, module.bias, module.eps, centred=True)


@converts("LlamaRMSNorm")
def _rms_norm(module: Any) -> nn.Module:
    return SpikingNorm(module.weight, None, module.variance_epsilon, centred=False)


@converts("GELU")
def _gelu(module: Any) -> nn.Module:
    return SpikingActivation("gelu_tanh" if module.approximate == "tanh" else "gelu")


@converts("ReLU")
def _relu(module: Any) -> nn.Module:
    return SpikingReLU()


def _unary(function: str) -> Converter:
    return lambda module: SpikingActivation(function)


for _function, _classes in {
    "gelu": ("GELUActivation",),
    "gelu_tanh": ("NewGELUActivation", "FastGELUActivation", "GELUTanh"),
    "quick_gelu": ("QuickGELUActivation",),
    "silu": ("SiLU", "SiLUActivation"),
    "tanh": ("Tanh",),
    "sigmoid": ("Sigmoid",),
}.items():
    converts(*_classes)(_unary(_function))


@converts("LlamaMLP")
def _gated_feed_forward(module: Any) -> nn.Module:
    parts = [convert_module(part) for part in (module.gate_proj, module.up_proj, module.down_proj)]
    gate, up, down = (part for part in parts if isinstance(part, SpikingLinear))
    activation = convert_module(module.act_fn)
    if not isinstance(activation, SpikingActivation):
        raise UnsupportedModelError(
            f"{type(module).__name__} gates with {type(module.act_fn).__name__}, which is no HG "
            "function"
        )
    return SpikingGatedFeedForward(gate, up, down, activation)


@converts("LlamaAttention", "BertSelfAttention")
def _attention(module: Any) -> nn.Module:
    """Attention modules stay; what they hand to transformers' attention interface spikes."""
    module.add_module(CHILD, SpikingAttention())
    module.register_forward_pre_hook(code_on_entry, with_kwargs=True)
    return module


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

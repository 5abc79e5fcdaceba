"""Gated feed-forward networks: Llama's and those like it, T5's and Phi-3's."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation
from las.components.feed_forward import SpikingGatedFeedForward, SpikingJointFeedForward
from las.components.linear import SpikingLinear
from las.conversion.registry import convert_module, converts
from las.errors import UnsupportedModelError


@converts(
    "Gemma2MLP",
    "Gemma3MLP",
    "LlamaMLP",
    "MistralMLP",
    "Qwen2MLP",
    "Qwen2_5_VLMLP",
    "Qwen3MLP",
)
def _two_layers(module: Any) -> nn.Module:
    layers = _linear(module, "gate_proj", "up_proj", "down_proj")
    return SpikingGatedFeedForward(layers, _gate(module, module.act_fn))


@converts("T5DenseGatedActDense", "MT5DenseGatedActDense", "UMT5DenseGatedActDense")
def _t5(module: Any) -> nn.Module:
    layers = _linear(module, "wi_0", "wi_1", "wo")
    return SpikingGatedFeedForward(layers, _gate(module, module.act))


@converts("Phi3MLP")
def _one_layer(module: Any) -> nn.Module:
    layers = _linear(module, "gate_up_proj", "down_proj")
    return SpikingJointFeedForward(layers, _gate(module, module.activation_fn))


def _linear(module: nn.Module, *names: str) -> dict[str, SpikingLinear]:
    """The spike-equivalents of linear layers by name."""
    layers = {}
    for name in names:
        layer = getattr(module, name)
        converted = convert_module(layer)
        if not isinstance(converted, SpikingLinear):
            raise UnsupportedModelError(
                f"a gated network needs linear layers, {type(layer).__name__} becomes a "
                f"{type(converted).__name__}"
            )
        layers[name] = converted
    return layers


def _gate(module: nn.Module, function: nn.Module) -> SpikingActivation:
    activation = convert_module(function)
    if not isinstance(activation, SpikingActivation):
        raise UnsupportedModelError(
            f"{type(module).__name__} gates with {type(function).__name__}, which is no HG function"
        )
    return activation

"""Layers that many families have in common, by the names of their classes."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation, SpikingReLU
from las.components.convolution import spiking_convolution
from las.components.linear import spiking_linear
from las.components.multihead import spiking_multihead_attention
from las.components.norm import SpikingNorm
from las.conversion.registry import Converter, converts


@converts("Linear", "Conv1D", "NonDynamicallyQuantizableLinear")
def _linear(module: Any) -> nn.Module:
    return spiking_linear(module)


@converts("Conv1d", "Conv2d", "Conv3d")
def _convolution(module: Any) -> nn.Module:
    return spiking_convolution(module)


@converts("MultiheadAttention")
def _multihead_attention(module: Any) -> nn.Module:
    return spiking_multihead_attention(module)


@converts("LayerNorm")
def _layer_norm(module: Any) -> nn.Module:
    return SpikingNorm(module.weight, module.bias, module.eps, centred=True)


@converts(
    "LlamaRMSNorm",
    "MT5LayerNorm",
    "MistralRMSNorm",
    "Phi3RMSNorm",
    "Qwen2RMSNorm",
    "Qwen2VLRMSNorm",
    "Qwen2_5_VLRMSNorm",
    "Qwen3RMSNorm",
    "T5LayerNorm",
    "UMT5LayerNorm",
)
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

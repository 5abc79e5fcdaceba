"""Whisper's encoder, which applies GELU to its convolutions in its own forward."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation
from las.components.convolution import spiking_convolution
from las.components.potential import SpikingConvolutionInto
from las.conversion.registry import known


@known("WhisperEncoder")
def _encoder(encoder: Any) -> nn.Module:
    for name in ("conv1", "conv2"):
        layer = spiking_convolution(getattr(encoder, name))
        setattr(encoder, name, SpikingConvolutionInto(layer, SpikingActivation("gelu")))
    return encoder

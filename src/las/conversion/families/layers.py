"""Layers of torch that many families have in common, and all that derive from them."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.convolution import spiking_convolution
from las.components.multihead import spiking_multihead_attention
from las.conversion.registry import known


@known(nn.Conv1d, nn.Conv2d, nn.Conv3d)
def _convolution(module: Any) -> nn.Module:
    return spiking_convolution(module)


@known(nn.MultiheadAttention)
def _multihead_attention(module: Any) -> nn.Module:
    return spiking_multihead_attention(module)

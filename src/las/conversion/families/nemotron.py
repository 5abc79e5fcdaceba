"""Nemotron's LayerNorm, whose weights are added to 1 though they begin at 1."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.norm import SpikingNorm
from las.conversion.registry import known


@known("NemotronLayerNorm1P")
def _layer_norm(module: Any) -> nn.Module:
    return SpikingNorm(module.weight, module.bias, module.eps, centred=True, offset=1.0)

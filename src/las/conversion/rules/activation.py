"""Functions of one number: GELU, SiLU, tanh and the like, known by their values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from las.components.activation import SpikingActivation, SpikingReLU
from las.conversion.registry import structure
from las.conversion.rules.stand_in import answer, same, stand_in
from las.fitting.functions import FUNCTIONS

ACTIVATIONS = ("gelu", "gelu_tanh", "quick_gelu", "relu_squared", "sigmoid", "silu", "tanh")
"""The HG functions that a model may use as activation functions."""


def function_of(module: nn.Module) -> str | None:
    """Which activation function a module applies to each element: a name, "relu", or None."""
    has_parts = next(module.children(), None) is not None
    if has_parts or next(module.parameters(), None) is not None:
        return None
    x = torch.linspace(-9, 9, 2**8, dtype=torch.float32, device="cpu").view(2, -1)
    y = answer(stand_in(module), x)
    if y is None:
        return None
    known: dict[str, Tensor] = {"relu": F.relu(x)}
    known |= {name: FUNCTIONS[name].evaluate(x) for name in ACTIVATIONS}
    return next((name for name, values in known.items() if same(y, values, 1e-5)), None)


@structure(function_of)
def spiking_activation(module: Any, function: str) -> nn.Module:
    """HG neurons of the function, or the exact ReLU."""
    return SpikingReLU() if function == "relu" else SpikingActivation(function)

"""Heads whose own forward applies a function to what a linear layer returns: tanh(dense(x))."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

from torch import nn
from transformers import PreTrainedModel
from transformers.activations import ACT2FN

from las.components.activation import SpikingActivation, SpikingReLU
from las.components.linear import spiking_linear
from las.components.potential import ASKED, SpikingLinearInto
from las.conversion.registry import structure
from las.conversion.rules.activation import function_of
from las.conversion.rules.linear import is_linear


def _applied(module: nn.Module) -> str | None:
    """The one function that a module's forward applies itself, if it has linear layers."""
    if isinstance(module, PreTrainedModel) or not any(map(is_linear, module.children())):
        return None
    forward = inspect.unwrap(type(module).forward)
    if not isinstance(forward, FunctionType):
        return None
    names = set(forward.__code__.co_names)
    if "ACT2FN" in names:  # by the name that the config has for it
        configured = [name for name in names if name.endswith("_act")]
        known = len(configured) == 1 and getattr(module.config, configured[0], None) in ACT2FN
        return function_of(ACT2FN[getattr(module.config, configured[0])]) if known else None
    found = (names & ASKED.keys()) - {name for name, _ in module.named_children()}
    return found.pop() if len(found) == 1 else None


@structure(_applied)
def spiking_head(module: Any, function: str) -> nn.Module:
    """Its linear layers return membrane potentials, whose neurons answer for the function."""
    for name, layer in list(module.named_children()):
        if is_linear(layer):
            neurons = SpikingReLU() if function == "relu" else SpikingActivation(function)
            setattr(module, name, SpikingLinearInto(spiking_linear(layer), neurons))
    return module

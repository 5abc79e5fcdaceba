"""Linear layers with peft's adapters around them, such as LoRA's."""

from __future__ import annotations

from torch import nn

from las.conversion.registry import convert_module, structure
from las.conversion.rules.linear import is_linear


def is_adapted(module: nn.Module) -> bool:
    """Whether a module is a layer of peft around a linear layer."""
    of_peft = type(module).__module__.startswith("peft.")
    return of_peft and is_linear(getattr(module, "base_layer", nn.Identity()))


@structure(is_adapted)
def spiking_adapted_layer(module: nn.Module, _: bool) -> nn.Module:
    """The same layer, in which the linear layer and those of its adapters read spikes."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if is_linear(child):
                setattr(parent, name, convert_module(child))
    return module

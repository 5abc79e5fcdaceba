"""Gated feed-forward networks: two or three linear layers and a function between them."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation
from las.components.feed_forward import SpikingGatedFeedForward, SpikingJointFeedForward
from las.components.linear import SpikingLinear
from las.conversion.registry import convert_module, structure
from las.conversion.rules.adapted import is_adapted
from las.conversion.rules.linear import is_linear
from las.errors import UnsupportedModelError

_TWO = (
    ("gate_proj", "up_proj", "down_proj"),
    ("wi_0", "wi_1", "wo"),
    ("w1", "w3", "w2"),
    ("linear_fc1_gate", "linear_fc1_up", "linear_fc2"),
)
"""W_g, W_u and W_d of Eq. 21 by the names under which models have them."""

_JOINT = (("gate_up_proj", "down_proj"), ("Wi", "Wo"))
"""The same where W_g and W_u are one layer, W_g first."""


def _is_layer(module: nn.Module) -> bool:
    return is_linear(module) or is_adapted(module)


def _names(module: nn.Module) -> tuple[str, ...] | None:
    """Under which names a module has the layers of a gated network; None if it is none."""
    linear = {name for name, child in module.named_children() if _is_layer(child)}
    return next((names for names in (*_TWO, *_JOINT) if linear == set(names)), None)


def _parts(module: nn.Module) -> tuple[tuple[str, ...], nn.Module] | None:
    """The names of the layers of a gated network, and its function; None if it is none."""
    names, function = _names(module), _function(module)
    return None if names is None or function is None else (names, function)


@structure(_parts)
def spiking_gated_network(module: Any, parts: tuple[tuple[str, ...], nn.Module]) -> nn.Module:
    """The spike-equivalent of a gated network (Eq. 21)."""
    names, function = parts
    activation = convert_module(function)
    if not isinstance(activation, SpikingActivation):
        raise UnsupportedModelError(
            f"{type(module).__name__} gates with {type(function).__name__}, which is no HG function"
        )
    layers = {name: convert_module(getattr(module, name)) for name in names}
    if not all(
        isinstance(layer, SpikingLinear) or hasattr(layer, "base_layer")
        for layer in layers.values()
    ):
        raise UnsupportedModelError(
            f"{type(module).__name__} gates with layers that are not linear"
        )
    kind = SpikingGatedFeedForward if len(names) == 3 else SpikingJointFeedForward
    return kind(layers, activation)


def _function(module: nn.Module) -> nn.Module | None:
    """The one part of a gated network that is neither linear nor a dropout."""
    parts = [
        child
        for child in module.children()
        if not (_is_layer(child) or isinstance(child, nn.Dropout | nn.Identity))
    ]
    return parts[0] if len(parts) == 1 else None

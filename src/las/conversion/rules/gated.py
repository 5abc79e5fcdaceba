"""Gated feed-forward networks: two or three linear layers and a function between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from las.components.activation import SpikingActivation
from las.components.feed_forward import SpikingGatedFeedForward, SpikingJointFeedForward
from las.components.linear import SpikingLinear
from las.conversion.registry import convert_module, structure
from las.conversion.rules.activation import ACTIVATIONS
from las.conversion.rules.adapted import is_adapted
from las.conversion.rules.linear import is_linear
from las.conversion.rules.stand_in import answer, same, stand_in
from las.errors import UnsupportedModelError
from las.fitting.functions import FUNCTIONS

_BY_CONVENTION = (
    ("gate_proj", "up_proj", "down_proj"),
    ("wi_0", "wi_1", "wo"),
    ("w1", "w3", "w2"),
    ("linear_fc1_gate", "linear_fc1_up", "linear_fc2"),
    ("gate_up_proj", "down_proj"),
    ("Wi", "Wo"),
)
"""Names that say which layer is W_g, W_u and W_d. What computes otherwise is refused by name."""

_HIDDEN, _BETWEEN = 4, 6
"""Sizes of the layers with which a network is tried out."""


@dataclass(frozen=True)
class GatedNetwork:
    """W_d (f(W_g x) o W_u x), Eq. 21.

    Attributes:
        names: of its linear layers, W_g, W_u and W_d; or, where W_g and W_u are one, of two.
        function: f, a part of the network or, where its forward calls one, the name of it.
    """

    names: tuple[str, ...]
    function: nn.Module | str


def gated_network_of(module: nn.Module) -> GatedNetwork | None:
    """Which gated network a module is, or None if it is none.

    The answer follows from what its forward makes of small layers in the place of its own, or from
    the names of its layers where they say it; then the comparison with the original judges.
    """
    layers = [name for name, child in module.named_children() if _is_layer(child)]
    parts = [
        child for name, child in module.named_children() if not (name in layers or _passes(child))
    ]
    if len(layers) not in (2, 3) or len(parts) > 1 or module._parameters:
        return None
    functions: list[nn.Module | str] = [*parts] or [*ACTIVATIONS, "relu"]
    passing = {
        name: nn.Identity() if child is not None and _passes(child) else child
        for name, child in module._modules.items()
    }
    generator = torch.Generator("cpu").manual_seed(0)
    x = torch.randn(2, 3, _HIDDEN, generator=generator, dtype=torch.float32, device="cpu")
    named = next((names for names in _BY_CONVENTION if set(names) == set(layers)), None)
    if named is not None and parts:
        return GatedNetwork(named, parts[0])
    for names in permutations(layers):
        tried = {
            name: _small_layer(*sizes, generator)
            for name, sizes in zip(names, _sizes(len(names)), strict=True)
        }
        one = stand_in(module)
        one._modules = passing | tried
        if (y := answer(one, x)) is None:
            continue
        *inner, down = tried.values()
        gate, up = torch.cat([layer(x) for layer in inner], -1).chunk(2, -1)
        for function in functions:
            g = answer(_applying(function), gate)
            if g is not None and g.shape == up.shape and same(y, down(g * up), 1e-4):
                return GatedNetwork(names, function)
    return None


@structure(gated_network_of)
def spiking_gated_network(module: Any, network: GatedNetwork) -> nn.Module:
    """The spike-equivalent of a gated network."""
    names, function = network.names, network.function
    if isinstance(function, str):
        activation: Any = SpikingActivation(function) if function in ACTIVATIONS else None
    else:
        activation = convert_module(function)
    if not isinstance(activation, SpikingActivation):
        said = function if isinstance(function, str) else type(function).__name__
        raise UnsupportedModelError(
            f"{type(module).__name__} gates with {said}, which is no HG function"
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


def _is_layer(module: nn.Module) -> bool:
    return is_linear(module) or is_adapted(module)


def _passes(module: nn.Module) -> bool:
    """Whether a part passes on what it reads: while a model is loaded, dropout is on."""
    return isinstance(module, nn.Dropout | nn.Identity)


def _sizes(layers: int) -> tuple[tuple[int, int], ...]:
    """Inputs and outputs of the layers of a network, in the order of `GatedNetwork.names`."""
    last = _BETWEEN, _HIDDEN
    if layers == 2:
        return (_HIDDEN, 2 * _BETWEEN), last
    return (_HIDDEN, _BETWEEN), (_HIDDEN, _BETWEEN), last


def _small_layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Of random numbers. While transformers loads a model, `nn.init` does nothing."""
    layer = nn.Linear(inputs, outputs, dtype=torch.float32, device="cpu").requires_grad_(False)
    for parameter in layer.parameters():
        numbers = torch.randn(
            parameter.shape, generator=generator, dtype=torch.float32, device="cpu"
        )
        parameter.copy_(numbers / 2)
    return layer


def _applying(function: nn.Module | str) -> Callable[[Tensor], Tensor]:
    """A function to call, by its name or as it is."""
    if not isinstance(function, str):
        return function
    return F.relu if function == "relu" else FUNCTIONS[function].evaluate

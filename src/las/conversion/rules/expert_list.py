"""Blocks with a linear router and a list of experts, which route in their own forward."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from las.components.expert_list import SpikingExpertList, SpikingMixture
from las.components.experts import Choice, SpikingRouter
from las.components.routing import Routing, Scores, SpikingScoredRouter
from las.conversion.registry import convert_module, converter_of, structure
from las.conversion.rules.experts import scales_of
from las.conversion.rules.linear import is_linear
from las.conversion.rules.stand_in import same, stand_in

_TOKENS = 32
"""That a block is tried out with."""


@dataclass(frozen=True)
class Mixture:
    """What a block does.

    Attributes:
        gate: the name of its router, a linear layer.
        experts: the name of the list of its experts.
        routing: how it chooses and weighs.
        tells_potentials: whether it returns the router's outputs, too.
    """

    gate: str
    experts: str
    routing: Routing
    tells_potentials: bool


class _Times(nn.Module):
    """An expert that is made up: it multiplies by its number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def mixture_of(module: nn.Module) -> Mixture | None:
    """How a block mixes its experts, or None if it is none.

    It is tried out with a router and experts that are made up.
    """
    parts = dict(module.named_children())
    lists = [name for name, part in parts.items() if isinstance(part, nn.ModuleList)]
    gates = [
        name for name, part in parts.items() if isinstance(part, nn.Linear) and is_linear(part)
    ]
    if len(parts) != 2 or len(lists) != 1 or len(gates) != 1:
        return None
    gate: Any = parts[gates[0]]
    experts: Any = parts[lists[0]]
    number, hidden = len(experts), gate.in_features
    if gate.out_features != number or any(converter_of(one) is None for one in experts):
        return None
    generator = torch.Generator("cpu").manual_seed(4)
    x = (
        torch.randn(1, _TOKENS, hidden, generator=generator, dtype=torch.float32, device="cpu")
        / hidden**0.5
    )
    router = stand_in(gate)
    factors = torch.randn(number, generator=generator, dtype=torch.float32, device="cpu")
    one = stand_in(module)
    made = nn.ModuleList(_Times(float(factor)) for factor in factors)
    one._modules = {gates[0]: router, lists[0]: made}
    try:
        with torch.no_grad():
            answered = one(x.clone())
            z = router(x[0])
    except Exception:  # it is called otherwise
        return None
    tells = isinstance(answered, tuple)
    y, *rest = answered if tells else (answered,)
    if tells and not (len(rest) == 1 and same(rest[0], z, 1e-4)):
        return None
    for routing in _routings(module, number):
        scores = z.sigmoid() if routing.scores == "sigmoid" else z.softmax(-1)
        chosen = routing.choose(scores)
        mixed = (routing.weigh(scores, chosen) * factors[chosen]).sum(-1, keepdim=True)
        if same(y, x * mixed, 1e-4):
            return Mixture(gates[0], lists[0], routing, tells)
    return None


def _routings(module: Any, experts: int) -> Iterator[Routing]:
    """What a block may do."""
    kinds: tuple[Scores, ...] = ("softmax", "sigmoid")
    for k, kind, normalised, scale in itertools.product(
        range(1, experts + 1), kinds, (True, False), scales_of(module)
    ):
        yield Routing(k, kind, normalised=normalised, scale=scale)


@structure(mixture_of)
def spiking_mixture(module: Any, mixture: Mixture) -> nn.Module:
    """The router chooses by potentials; the experts are converted one by one."""
    gate, routing = getattr(module, mixture.gate), mixture.routing
    experts = [convert_module(expert) for expert in getattr(module, mixture.experts)]
    router: nn.Module
    if routing.scores == "softmax" and routing.scale == 1:
        choice: Choice = "before" if routing.normalised else "after"
        router = SpikingRouter(gate.weight, gate.bias, routing.top_k, choice)
    else:
        router = SpikingScoredRouter(gate.weight, gate.bias, routing)
    names = (mixture.gate, mixture.experts)
    return SpikingMixture(names, router, SpikingExpertList(experts), mixture.tells_potentials)

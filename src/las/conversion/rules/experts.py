"""Mixtures of experts: routers, experts whose weights are stacked, and a shared expert."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from las.components.activation import SpikingActivation
from las.components.experts import (
    Choice,
    SpikingExperts,
    SpikingRouter,
    SpikingSharedExpert,
    Stacking,
)
from las.components.routing import Routing, SpikingScoredRouter
from las.conversion.registry import convert_module, structure
from las.conversion.rules.stand_in import same, stand_in
from las.errors import UnsupportedModelError

_QUICK_GELU = 1.702

_TOKENS = 32
"""That a router is tried out with."""

_GROUPS = ("num_group", "n_group")

_SHARED = {"gate", "experts", "shared_expert", "shared_expert_gate"}


def choice_of(module: Any) -> Choice | None:
    """Whether a router chooses before or after its softmax; None if it is no such router.

    It is tried out with weights that are made up.
    """
    weight = module._parameters.get("weight")
    top_k = getattr(module, "top_k", None)
    if not isinstance(top_k, int) or weight is None or weight.dim() != 2:
        return None
    one = stand_in(module)
    generator = torch.Generator("cpu").manual_seed(2)
    x = torch.randn(5, weight.shape[1], generator=generator, dtype=torch.float32, device="cpu")
    try:
        with torch.no_grad():
            _, weights, experts = one(x.clone())
    except Exception:  # it is called otherwise, or makes something else
        return None
    z = nn.functional.linear(x, one.weight, getattr(one, "bias", None))
    kinds: dict[Choice, tuple[Tensor, Tensor]] = {
        "before": (z.topk(top_k).values.softmax(-1), z.topk(top_k).indices),
        "after": (z.softmax(-1).topk(top_k).values, z.topk(top_k).indices),
    }
    for choice, (expected, chosen) in kinds.items():
        alike = chosen.shape == experts.shape and torch.equal(chosen, experts)
        if alike and same(weights, expected, 1e-4):
            return choice
    return None


@structure(choice_of)
def spiking_router(module: Any, choice: Choice) -> nn.Module:
    """A comparison of membrane potentials, and a spiking softmax."""
    return SpikingRouter(module.weight, getattr(module, "bias", None), module.top_k, choice)


def routing_of(module: Any) -> tuple[Routing, str | None] | None:
    """How a router scores, chooses and weighs, and where its correction is; None if it is none.

    It is tried out with weights and a correction that are made up.
    """
    weight = module._parameters.get("weight")
    top_k = getattr(module, "top_k", None)
    if not isinstance(top_k, int) or weight is None or weight.dim() != 2:
        return None
    experts, hidden = weight.shape
    one = stand_in(module)
    generator = torch.Generator("cpu").manual_seed(3)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float32, device="cpu")

    one._buffers = {
        name: tensor if tensor is None else 0.1 * random(*tensor.shape)
        for name, tensor in module._buffers.items()
    }
    x, given = random(_TOKENS, hidden) / hidden**0.5, 0.1 * random(experts)
    answered = _routed(one, x, given)
    if answered is None:
        return None
    weights, chosen = answered
    named = next((name for name, it in one._buffers.items() if it.shape == (experts,)), None)
    z = nn.functional.linear(x, one.weight, getattr(one, "bias", None))
    for routing in _routings(module, top_k):
        scores = z.sigmoid() if routing.scores == "sigmoid" else z.softmax(-1)
        for name, correction in ((named, one._buffers.get(named)), (None, given), (None, 0.0)):
            if correction is None or not torch.equal(routing.choose(scores + correction), chosen):
                continue
            if same(weights, routing.weigh(scores, chosen), 1e-4):
                return routing, name
    return None


def scales_of(module: Any) -> list[float]:
    """By what a router may scale the weights."""
    named = (getattr(module, name, None) for name in ("routed_scaling_factor", "route_scale"))
    return [1.0, *(scale for scale in named if isinstance(scale, float | int))]


def _routed(router: Any, x: Tensor, correction: Tensor) -> tuple[Tensor, Tensor] | None:
    """The weights and the experts that a router answers with, whether it is given a correction."""
    takes = len(inspect.signature(router.forward).parameters)
    try:
        with torch.no_grad():
            _, weights, experts = router(x, correction) if takes > 1 else router(x)
    except Exception:  # it is called otherwise, or makes something else
        return None
    return (weights, experts) if experts.shape == weights.shape else None


def _routings(module: Any, top_k: int) -> Iterator[Routing]:
    """What a router may do, by its attributes."""
    groups = next((n for name in _GROUPS if (n := getattr(module, name, None))), 1)
    grouped = [(1, 1)] if groups == 1 else [(1, 1), (groups, module.topk_group)]
    for kind, (number, chosen), best, ordered, normalised, scale in itertools.product(
        ("sigmoid", "softmax"),
        grouped,
        ("sum", "max"),
        (True, False),
        (False, True),
        scales_of(module),
    ):
        yield Routing(top_k, kind, number, chosen, best, normalised, scale, ordered)


@structure(routing_of)
def spiking_scored_router(module: Any, found: tuple[Routing, str | None]) -> nn.Module:
    """A comparison of scores, each expert's own or a softmax, and the weights that follow."""
    routing, name = found
    correction = None if name is None else (name, module._buffers[name])
    return SpikingScoredRouter(module.weight, getattr(module, "bias", None), routing, correction)


def _is_stack(module: nn.Module) -> bool:
    """Whether the weights of gated experts are stacked in two parameters."""
    stacks = [module._parameters.get(name) for name in ("gate_up_proj", "down_proj")]
    return all(stack is not None and stack.dim() == 3 for stack in stacks)


@structure(_is_stack)
def spiking_experts(module: Any, _: bool) -> nn.Module:
    """The same stacked weights, read by spikes.

    Raises:
        UnsupportedModelError: the experts' function is none that neurons have.
    """
    transposed = bool(getattr(module, "is_transposed", False))
    interleaved = not getattr(module, "is_concatenated", True)
    if hasattr(module, "act_fn"):
        function, stacking = convert_module(module.act_fn), Stacking(transposed, interleaved)
    elif getattr(module, "alpha", None) == _QUICK_GELU:  # gpt-oss
        function = SpikingActivation("quick_gelu")
        stacking = Stacking(transposed, True, module.limit, shift=1.0)
    else:
        function = None
    if not isinstance(function, SpikingActivation):
        raise UnsupportedModelError(
            f"{type(module).__name__} has experts whose function is none that neurons have"
        )
    return SpikingExperts(
        module.gate_up_proj,
        getattr(module, "gate_up_proj_bias", None),
        module.down_proj,
        getattr(module, "down_proj_bias", None),
        function,
        stacking,
    )


@structure(lambda module: {name for name, _ in module.named_children()} == _SHARED)
def spiking_shared_expert(module: Any, _: bool) -> nn.Module:
    """The parts of the module, and spiking neurons between them."""
    return SpikingSharedExpert(**{name: convert_module(getattr(module, name)) for name in _SHARED})

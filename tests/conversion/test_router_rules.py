"""Routers of transformers, known by what they do."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
import transformers

from las.components.component import SpikingModule
from las.components.exact import Exact
from las.components.routing import Routing, SpikingScoredRouter
from las.components.running import observing
from las.conversion.registry import convert_module, converter_of
from las.conversion.rules.experts import routing_of

_EXPERTS: dict[str, Any] = dict(hidden_size=12, num_attention_heads=2, num_experts_per_tok=6)
_GROUPED = _EXPERTS | dict(n_routed_experts=64, n_group=8, topk_group=3, routed_scaling_factor=2.5)
_SHARES = Routing(6, "sigmoid", 8, 3, normalised=True, scale=2.5, ordered=False)

ROUTERS: dict[str, tuple[str, str, dict[str, Any], Routing]] = {
    "DeepSeek-V3": ("deepseek_v3", "DeepseekV3TopkRouter", _GROUPED, _SHARES),
    "GLM-4 MoE": ("glm4_moe", "Glm4MoeTopkRouter", _GROUPED | dict(norm_topk_prob=True), _SHARES),
    "DeepSeek-V2": (
        "deepseek_v2",
        "DeepseekV2TopkRouter",
        _GROUPED | dict(topk_method="group_limited_greedy", topk_group=1),
        Routing(6, "softmax", 8, 1, "max", scale=2.5, ordered=False),
    ),
    "DeepSeek-V2 greedy": (
        "deepseek_v2",
        "DeepseekV2TopkRouter",
        _GROUPED | dict(topk_method="greedy"),
        Routing(6, "softmax", scale=2.5, ordered=False),
    ),
    "LFM2": (
        "lfm2_moe",
        "Lfm2MoeTopKRouter",
        _EXPERTS | dict(num_experts=64, routed_scaling_factor=1.5),
        Routing(6, "sigmoid", normalised=True, scale=1.5),
    ),
    "MiniMax-M2": (
        "minimax_m2",
        "MiniMaxM2TopKRouter",
        _EXPERTS | dict(num_local_experts=64),
        Routing(6, "sigmoid", normalised=True, ordered=False),
    ),
}


def made(name: str) -> tuple[Any, Routing]:
    module, kind, options, routing = ROUTERS[name]
    modeling = importlib.import_module(f"transformers.models.{module}.modeling_{module}")
    config = getattr(
        transformers, kind.replace("TopkRouter", "").replace("TopKRouter", "") + "Config"
    )
    router = getattr(modeling, kind)(config(**options))
    torch.manual_seed(0)
    with torch.no_grad():
        router.weight.normal_()
        for buffer in router.buffers():
            buffer.normal_(0, 0.2)
    return router, routing


@pytest.mark.parametrize("name", ROUTERS)
def test_what_a_router_does_is_found_out(name: str) -> None:
    router, routing = made(name)
    found, correction = routing_of(router)  # type: ignore[misc]
    assert found == routing
    assert correction == next((name for name, _ in router.named_buffers()), None)


@pytest.mark.parametrize("name", ROUTERS)
def test_with_exact_neurons_it_answers_as_the_router_does(name: str) -> None:
    router, _ = made(name)
    spiking = convert_module(router)
    assert isinstance(spiking, SpikingScoredRouter)
    x = torch.randn(2, 7, 12)
    args = (x.view(-1, 12), torch.randn(64)) if name in ("LFM2", "MiniMax-M2") else (x,)
    with torch.no_grad(), observing(spiking, Exact()):
        for given, expected in zip(spiking(*args), router(*args), strict=True):
            assert torch.allclose(given, expected, atol=1e-6)
    assert set(spiking.state_dict()) == set(router.state_dict())
    assert spiking.weight is router.weight


def test_a_router_that_chooses_otherwise_is_left_alone() -> None:
    """The smallest scores win: no rule knows that."""
    router, _ = made("DeepSeek-V3")

    class Contrary(type(router)):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            z, weights, experts = super().forward(x)
            return z, weights, 63 - experts

    router.__class__ = Contrary
    assert converter_of(router) is None
    assert not isinstance(router, SpikingModule)

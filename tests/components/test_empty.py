"""Components on tensors without rows, without tokens, and without keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from las.components import attention, feed_forward, norm
from las.components.activation import SpikingActivation
from las.components.attention import SpikingAttention
from las.components.linear import spiking_linear
from las.components.norm import SpikingNorm
from las.components.operations import SpikingOperations
from las.components.softmax import SpikingSoftmax
from las.conversion.registry import convert_module
from las.neurons import fused
from tests.tiny_models import plain

B, H, L, D = 2, 4, 9, 8
EMPTY = [(0, 5), (3, 0), (0, 0)]


def gated() -> nn.Module:
    return convert_module(plain.llama(1).model.layers[0].mlp)


COMPONENTS: dict[str, tuple[Callable[[], Any], int]] = {
    "linear": (lambda: spiking_linear(nn.Linear(16, 7)), 16),
    "activation": (lambda: SpikingActivation("gelu"), 16),
    "layer norm": (lambda: SpikingNorm(nn.Parameter(torch.ones(16)), None, 1e-5, True), 16),
    "gated network": (gated, 16),
    "multihead": (lambda: convert_module(nn.MultiheadAttention(16, 2, batch_first=True)), 16),
}


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("shape", EMPTY)
@pytest.mark.parametrize("kernels", [True, False])
def test_nothing_comes_of_nothing(
    spiking: Any,
    both_paths: Any,
    name: str,
    shape: tuple[int, int],
    kernels: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not kernels:
        for module in (attention, feed_forward, norm, fused):
            monkeypatch.setattr(module, "has_kernels", lambda x: False)
    make, width = COMPONENTS[name]
    component = spiking(make())
    x = torch.zeros(*shape, width, dtype=torch.float64)

    def forward() -> Tensor:
        answer = component(x, x, x)[0] if name == "multihead" else component(x)
        return answer  # type: ignore[no-any-return]

    output, simulated, tally, simulated_tally = both_paths(component, forward)
    assert output.shape == simulated.shape
    assert output.shape[:2] == shape
    assert tally.spikes == simulated_tally.spikes == 0
    assert sum(one.sops + one.macs for one in tally.operations.values()) == 0


@pytest.mark.parametrize(
    ("batch", "queries", "keys"), [(0, L, L), (B, 0, 0), (B, 0, L), (B, L, 0), (0, 0, 0)]
)
@pytest.mark.parametrize("heads", [H, 2])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_of_nothing(
    spiking: Any, both_paths: Any, batch: int, queries: int, keys: int, heads: int, masked: bool
) -> None:
    """A query that has no key to see gets zero, as PyTorch's attention gives it."""
    attend = spiking(SpikingAttention())
    query = torch.randn(batch, H, queries, D, dtype=torch.float64)
    key = torch.randn(batch, heads, keys, D, dtype=torch.float64)
    mask = torch.ones(batch, 1, queries, keys, dtype=torch.bool) if masked else None
    output, simulated, tally, simulated_tally = both_paths(
        attend, lambda: attend(query, key, key, mask, D**-0.5)
    )
    assert output.shape == simulated.shape == query.shape
    assert not output.any()
    assert not simulated.any()
    counts = [{n: s.spikes for n, s in t.sites.items()} for t in (tally, simulated_tally)]
    assert counts[0] == counts[1]
    assert not tally.operations.get("top.scores")


def test_attention_with_a_sink_alone(spiking: Any, both_paths: Any) -> None:
    """A sink takes all of the softmax, and weighs nothing."""
    attend = spiking(SpikingAttention())
    query = torch.randn(B, H, L, D, dtype=torch.float64)
    none = query[:, :, :0]
    output, simulated, _, _ = both_paths(
        attend,
        lambda: attend(query, none, none, None, 1.0, sink=torch.zeros(H, dtype=torch.float64)),
    )
    assert output.shape == query.shape
    assert not output.any()
    assert not simulated.any()


@pytest.mark.parametrize("shape", [(0, 2, 3, 3), (2, 2, 0, 0), (2, 2, 3, 0)])
def test_scores_of_nothing(spiking: Any, both_paths: Any, shape: tuple[int, ...]) -> None:
    operations = spiking(SpikingOperations())
    z = torch.zeros(shape, dtype=torch.float64)
    output, simulated, tally, _ = both_paths(operations, lambda: operations.softmax(z))
    assert output.shape == simulated.shape == shape
    assert tally.spikes == 0


def test_a_router_without_tokens(spiking: Any, both_paths: Any) -> None:
    softmax = spiking(SpikingSoftmax())
    z = torch.zeros(0, 6, dtype=torch.float64)
    output, simulated, _, _ = both_paths(softmax, lambda: softmax.of_rows(z))
    assert output.shape == simulated.shape == (0, 6)

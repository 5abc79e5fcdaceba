"""Attention without the cross terms of Eq. 12, the ablation of Section 5.5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import las
from las.components.attention import SpikingAttention
from las.components.exact import Exact
from las.components.product import SpikingProduct
from las.components.running import observing
from las.neurons import OAT
from tests.components.test_attention import MASKS, B, D, H, L, distances, operands, reference


@pytest.fixture
def naive(spiking: Callable[..., nn.Module]) -> Callable[..., Any]:
    def set_up(component: Any, *neuron: OAT) -> Any:
        spiking(component, *neuron)
        component.naive = True
        return component

    return set_up


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("heads", [H, 2])
def test_both_paths_agree(naive, assert_one_truth, mask: Tensor | None, heads: int) -> None:
    attend = naive(SpikingAttention())
    query, key, value = operands(heads)
    y = assert_one_truth(attend, lambda: attend(query, key, value, mask, D**-0.5))
    assert y.shape == (B, H, L, D)
    assert not torch.allclose(y, reference(query, key, value, mask), atol=0.2)


def test_both_paths_agree_with_a_bias_and_a_cap(naive, assert_one_truth) -> None:
    attend = naive(SpikingAttention(cap=5.0))
    sink = torch.linspace(-1, 1, H).double()
    assert_one_truth(attend, lambda: attend(*operands(), MASKS["causal"], 0.4, distances(), sink))


@pytest.mark.parametrize("turned", [True, False])
def test_both_paths_of_a_product_agree(naive, assert_one_truth, turned: bool) -> None:
    product = naive(SpikingProduct())
    left, right, _ = operands()
    columns = right.mT if turned else right.mT.contiguous()
    assert_one_truth(product, lambda: product(left, columns))


def test_a_context_worked_by_hand(naive) -> None:
    """A single key has the probability 1. T = 2, tau = 1, H = 1: theta = 1/2, 1/4.

    1 fires in both steps, and comes to 3/4. A value of 3/4 likewise: 1/2 * 1/2 + 1/4 * 1/4; one of
    1/4 fires in the second alone, and meets the 1/4 of the same step.
    """
    attend = naive(SpikingAttention(), OAT((1.0,), (), 2, 1, "floor"))
    query = key = torch.zeros(1, 1, 1, 2, dtype=torch.float64)
    value = torch.tensor([[[[0.75, 0.25]]]], dtype=torch.float64)
    assert attend(query, key, value, None, 1.0).tolist() == [[[[5 / 16, 1 / 16]]]]
    attend.naive = False
    assert attend(query, key, value, None, 1.0).tolist() == [[[[9 / 16, 3 / 16]]]]


def test_a_spike_reads_what_comes_at_the_same_time(naive) -> None:
    """Spikes of queries and probabilities read; none has to wait in a cache for later tokens."""
    attend = naive(SpikingAttention())
    with las.count_spikes(attend) as tally:
        attend(*operands(), None, D**-0.5)
    scores, context = (tally.operations[f"top.{part}"] for part in ("scores", "context"))
    assert scores.sops == tally.sites["top.query"].spikes * L
    assert context.sops == tally.sites["top.probability"].spikes * D
    assert scores.early_sops == context.early_sops == 0


def test_with_exact_neurons_it_is_attention(naive) -> None:
    attend = naive(SpikingAttention())
    query, key, value = operands()
    with observing(attend, Exact()):
        context = attend(query, key, value, None, D**-0.5)
    assert torch.allclose(context, reference(query, key, value, None), atol=1e-12)


@pytest.mark.parametrize("shape", [(0, H, L), (B, H, 0)])
def test_no_queries(naive, shape: tuple[int, ...]) -> None:
    attend = naive(SpikingAttention())
    query = torch.zeros(*shape, D, dtype=torch.float64)
    key = torch.zeros(shape[0], H, L, D, dtype=torch.float64)
    assert attend(query, key, key[..., :3], None, 1.0).shape == (*shape, 3)

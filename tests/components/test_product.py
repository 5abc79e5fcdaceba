from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from itertools import product as pairs_of
from typing import Any

import pytest
import torch
from torch import Tensor

from las.components.operations import SpikingScores
from las.components.product import Multiplied, SpikingProduct
from las.neurons.tally import SpikeTally

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 4, 5, 6


def operands(shared: bool, role: str, turned: bool) -> tuple[Tensor, Tensor]:
    """The operands of scores or of context; one of `shared` keys serves all heads."""
    generator = torch.Generator().manual_seed(3)
    inner, columns = (WIDTH, KEYS) if role == "scores" else (KEYS, WIDTH)
    left = torch.randn(BATCH, HEADS, QUERIES, inner, generator=generator, dtype=torch.float64)
    heads = 1 if shared else HEADS
    right = torch.randn(BATCH, heads, inner, columns, generator=generator, dtype=torch.float64)
    return left, right.mT.contiguous().mT if turned else right


def visible() -> Tensor:
    """A query that sees nothing, a key that nobody sees, and others at random."""
    generator = torch.Generator().manual_seed(4)
    seen = torch.rand(BATCH, HEADS, QUERIES, KEYS, generator=generator) < 0.5
    seen[:, :, 1] = False
    seen[..., 2] = False
    return seen


def by_hand(left: Tensor, right: Tensor, a: Tensor, b: Tensor, seen: Tensor, role: str) -> Any:
    """Spikes, activations and operations, counted pair by pair."""
    heard_left, heard_right, read, macs = set(), set(), 0, 0
    shared = right.shape[1] == 1
    for n, h, i, j in pairs_of(*map(range, (BATCH, HEADS, QUERIES, KEYS))):
        if not seen[n, h, i, j]:
            continue
        of_right = 0 if shared else h
        for w in range(WIDTH):
            x = (n, h, i, w) if role == "scores" else (n, h, i, j)
            y = (n, of_right, w, j) if role == "scores" else (n, of_right, j, w)
            heard_left.add(x)
            heard_right.add(y)
            read += int(a[x]) + int(b[y])
            macs += 1
    fired = [sum(int(of[x]) for x in heard) for of, heard in ((a, heard_left), (b, heard_right))]
    return fired, [len(heard_left), len(heard_right)], read, macs


def run(component: Any, tally: SpikeTally, simulated: bool, *operands: Any) -> Tensor:
    """One call of it, counted."""
    with component.run.counted(tally), component.run.simulate() if simulated else nullcontext():
        product: Tensor = component(*operands)
    return product


@pytest.mark.parametrize("role", ["scores", "context"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("simulated", [False, True])
def test_only_pairs_that_see_each_other_count(spiking, role, shared, turned, simulated) -> None:
    component = spiking(SpikingProduct())
    left, right = operands(shared, role, turned)
    seen, tally = visible(), SpikeTally()
    with component.run.counted(SpikeTally()):
        a, b = component.left(left).counts, component.right(right.contiguous()).counts
    keys = "columns" if role == "scores" else "rows"
    value = run(
        component, tally, simulated, left, right, partial(Multiplied.count, seen=seen, keys=keys)
    )
    fired, heard, read, macs = by_hand(left, right, a, b, seen, role)
    sites = tally.sites["top.left"], tally.sites["top.right"]
    assert [site.spikes for site in sites] == fired
    assert [site.activations for site in sites] == heard
    assert (tally.operations["top"].sops, tally.operations["top"].macs) == (read, macs)
    assert tally.operations["top"].inputs == sum(heard)
    made = macs // WIDTH if role == "scores" else int(seen.any(-1).sum()) * WIDTH
    assert tally.operations["top"].outputs == made
    assert value.shape == (BATCH, HEADS, QUERIES, right.shape[-1])


@pytest.mark.parametrize("simulated", [False, True])
def test_without_a_mask_all_pairs_count(spiking, simulated) -> None:
    component = spiking(SpikingProduct())
    left, right = operands(False, "scores", True)
    tally = SpikeTally()
    run(component, tally, simulated, left, right)
    assert tally.operations["top"].macs == BATCH * HEADS * QUERIES * KEYS * WIDTH
    assert tally.sites["top.left"].activations == left.numel()
    assert tally.operations["top"].sops == (
        tally.sites["top.left"].spikes * KEYS + tally.sites["top.right"].spikes * QUERIES
    )


@pytest.mark.parametrize("low", [-1e4, -1e9, torch.finfo(torch.float64).min])
def test_scores_that_a_mask_has_lowered_are_hidden(spiking, low) -> None:
    """Added to a score or put in its place; what no mask has touched is not."""
    softmax = spiking(SpikingScores())
    scores = torch.tensor([[[[1.0, -3.0, 2.0], [0.0, -20.0, 1.0]]]], dtype=torch.float64)
    lowered = scores.clone()
    lowered[..., 0, 2] += low
    tally = SpikeTally()
    with softmax.run.counted(tally):
        weights = softmax(lowered)
    assert tally.sites["top.exp"].activations == 5
    assert tally.out_of_range == 0
    assert weights[0, 0, 0, 2] == 0
    assert torch.allclose(weights.sum(-1), torch.ones(2, dtype=torch.float64), atol=1e-3)

"""Routers that weigh each expert by itself, and choose among groups of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import las
from las.components.routing import Routing, SpikingScoredRouter, SpikingShares, askers

TOKENS, HIDDEN, EXPERTS, K = 5, 6, 8, 2


@pytest.fixture
def x() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(TOKENS, HIDDEN, generator=generator, dtype=torch.float64)


def router(routing: Routing, correction: Tensor | None = None) -> SpikingScoredRouter:
    weight = torch.randn(EXPERTS, HIDDEN, generator=torch.Generator().manual_seed(3))
    named = None if correction is None else ("correction", correction)
    return SpikingScoredRouter(nn.Parameter(weight), None, routing, named)


# of groups a, b, c, d of two experts each
SCORES = torch.tensor([[0.9, 0.1, 0.6, 0.5, 0.55, 0.58, 0.2, 0.0]])


def test_the_best_of_all() -> None:
    assert Routing(3, "sigmoid").choose(SCORES).tolist() == [[0, 2, 5]]


def test_the_best_of_the_groups_with_the_largest_sums() -> None:
    """1.0, 1.1, 1.13 and 0.2: b and c, without the best expert of all."""
    routing = Routing(2, "sigmoid", groups=4, chosen_groups=2)
    assert routing.choose(SCORES).tolist() == [[2, 5]]


def test_the_best_of_the_groups_with_the_largest_experts() -> None:
    """0.9, 0.6, 0.58 and 0.2: a and b."""
    routing = Routing(2, "sigmoid", groups=4, chosen_groups=2, group_score="max")
    assert routing.choose(SCORES).tolist() == [[0, 2]]


def test_shares_by_hand(spiking) -> None:
    shares = spiking(SpikingShares())
    w = torch.tensor([[3.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
    expected = torch.tensor([[0.75, 0.25], [0.5, 0.5]], dtype=torch.float64)
    assert torch.allclose(shares(w), expected, atol=1e-3)


ROUTINGS = {
    "sigmoids": Routing(K, "sigmoid", scale=2.5),
    "shares": Routing(K, "sigmoid", normalised=True),
    "groups": Routing(K, "sigmoid", groups=4, chosen_groups=2, normalised=True, ordered=False),
    "softmax": Routing(K, "softmax", groups=2, group_score="max", scale=3.0),
}


@pytest.mark.parametrize("routing", ROUTINGS.values(), ids=ROUTINGS)
def test_both_paths_route_alike(routing, spiking, x, assert_one_truth) -> None:
    route = spiking(router(routing, torch.linspace(-0.2, 0.2, EXPERTS)))
    weights = assert_one_truth(route, lambda: route(x)[1])
    z, _, experts = route(x)
    scores = z.sigmoid() if routing.scores == "sigmoid" else z.softmax(-1)
    assert torch.equal(experts, routing.choose(scores + torch.linspace(-0.2, 0.2, EXPERTS)))
    expected = scores.gather(-1, experts)
    if routing.normalised:
        expected = expected / expected.sum(-1, keepdim=True)
    assert torch.allclose(weights, expected * routing.scale, atol=0.01)


def test_a_correction_moves_the_choice_and_no_weight(spiking, x) -> None:
    """An expert that is never the best is chosen by all tokens, and weighs what it scores."""
    favoured = torch.zeros(EXPERTS)
    favoured[4] = 10
    route = spiking(router(Routing(K, "sigmoid"), favoured))
    z, weights, experts = route(x)
    assert (experts[:, 0] == 4).all()
    assert torch.allclose(weights[:, 0], z[:, 4].sigmoid(), atol=1e-3)
    given = spiking(router(Routing(K, "sigmoid")))
    assert torch.equal(given(x, favoured)[2], experts)


def test_each_population_works_for_what_it_reads(spiking, x) -> None:
    route = spiking(router(Routing(K, "sigmoid", normalised=True)))
    with las.count_spikes(route) as tally:
        route(x)
    linear, sites = tally.operations["top"], tally.sites
    assert linear.macs == TOKENS * HIDDEN * EXPERTS
    assert linear.sops == sites["top.site"].spikes * EXPERTS
    assert tally.operations["top.scores"].nonlinear == {"sigmoid": TOKENS * EXPERTS}
    shares = tally.operations["top.shares"]
    assert shares.macs == TOKENS * K
    assert shares.sops == (
        2 * sites["top.shares.input"].spikes + K * sites["top.shares.reciprocal"].spikes
    )
    assert shares.nonlinear == {"reciprocal": TOKENS}


def test_askers_of_experts_come_in_the_order_of_a_search_for_each_of_them() -> None:
    experts = torch.randint(0, 5, (17, 3), generator=torch.Generator().manual_seed(0))
    experts[experts == 3] = 1  # whom nobody asks
    asked = askers(experts, 6)
    assert [expert for expert, *_ in asked] == [0, 1, 2, 4]
    for expert, token, place in asked:
        tokens, places = torch.where(experts == expert)
        assert torch.equal(token, tokens) and torch.equal(place, places)
    assert askers(experts[:0], 6) == []


@pytest.mark.parametrize("wrong", [-1, 6])
def test_an_expert_that_is_not_there_is_an_error(wrong: int) -> None:
    with pytest.raises(IndexError, match="none of the 6"):
        askers(torch.tensor([[0, 2], [wrong, 4]]), 6)

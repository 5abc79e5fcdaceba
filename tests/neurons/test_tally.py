from __future__ import annotations

import json

from las.neurons.tally import SpikeTally


def filled() -> SpikeTally:
    tally = SpikeTally(tokens=7)
    tally.add_spikes("a", "oat", 16, activations=100, spikes=350, out_of_range=2)
    tally.add_spikes("b", "hg:exp", 16, activations=10, spikes=80, out_of_range=0)
    tally.add_operations("a.linear", "a", "linear", sops=7000, macs=2000)
    tally.add_operations("b.norm", "b", "norm", sops=10, macs=3, nonlinear={"sqrt": 5})
    return tally


def test_calls_of_one_site_add_up() -> None:
    tally = filled()
    tally.add_spikes("a", "oat", 16, activations=100, spikes=50, out_of_range=1)
    site = tally.sites["a"]
    assert (site.activations, site.spikes, site.out_of_range) == (200, 400, 3)
    assert site.spikes_per_activation == 2
    assert site.firing_rate == 2 / 16
    assert tally.spikes == 480
    assert tally.out_of_range == 3


def test_calls_of_one_component_add_up() -> None:
    tally = filled()
    tally.add_operations("b.norm", "b", "norm", sops=1, macs=1, nonlinear={"sqrt": 2, "exp": 4})
    operation = tally.operations["b.norm"]
    assert (operation.sops, operation.macs) == (11, 4)
    assert operation.nonlinear == {"sqrt": 7, "exp": 4}


def test_a_site_without_activations_has_rate_zero() -> None:
    tally = SpikeTally()
    tally.add_spikes("a", "oat", 16, activations=0, spikes=0, out_of_range=0)
    assert tally.sites["a"].firing_rate == 0


def test_merging_adds_and_leaves_the_other_tally_alone() -> None:
    tally, other = filled(), filled()
    other.add_spikes("c", "oat", 8, activations=1, spikes=1, out_of_range=0)
    before = other.to_dict()
    tally.merge(other)
    assert tally.tokens == 14
    assert tally.sites["a"].spikes == 700
    assert tally.sites["c"].time_steps == 8
    assert tally.operations["b.norm"].nonlinear == {"sqrt": 10}
    tally.add_spikes("c", "oat", 8, activations=1, spikes=1, out_of_range=0)
    assert other.to_dict() == before


def test_a_tally_survives_json() -> None:
    tally = filled()
    assert SpikeTally.from_dict(json.loads(json.dumps(tally.to_dict()))) == tally

"""Membrane potentials of the published neurons, worked by hand, in units of the threshold."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from las.baselines.neurons import (
    STBIF,
    Burst,
    IntegrateAndFire,
    MultiThreshold,
    Neuron,
    OffsetSpike,
    Phase,
    ResidualPotential,
)


def train(neuron, currents, state=None):
    """What a neuron emits over time, and the state that it ends in."""
    currents = torch.tensor(currents, dtype=torch.float64)
    state = neuron.begin(currents[0]) if state is None else state
    emitted = []
    for t, current in enumerate(currents, start=1):
        spikes, state = neuron.step(current, state, t)
        emitted.append(float(spikes))
    return emitted, state


def test_integrate_and_fire():
    # v before the reset: 0.875, 1.25, 0.625, 1.0
    emitted, v = train(IntegrateAndFire(), [0.375] * 4)
    assert emitted == [0, 1, 0, 1]
    assert float(v) == 0.0


def test_integrate_and_fire_takes_nothing_back():
    # fires at once, then falls below zero for good: 1.25 -> 0.25, -0.5, -1.25
    emitted, v = train(IntegrateAndFire(), [0.75, -0.75, -0.75])
    assert emitted == [1, 0, 0]
    assert float(v) == -1.25


def test_residual_potential_silences_what_ended_too_low():
    neuron = ResidualPotential(warm_up=3)
    currents = [0.75, -0.75, -0.75]
    emitted, state = train(neuron, currents)
    assert emitted == [1, 0, 0]
    emitted, state = train(neuron, currents, neuron.restart(state))
    assert emitted == [0, 0, 0]
    assert float(state.v) == -0.25


def test_residual_potential_lets_others_begin_again():
    neuron = ResidualPotential(warm_up=2)
    _, state = train(neuron, [0.375] * 2)  # v(2) = 0.25
    emitted, _ = train(neuron, [0.375] * 4, neuron.restart(state))
    assert emitted == [0, 1, 0, 1]


def test_offset_spike_lowers_who_fired_once_too_often():
    neuron = OffsetSpike(warm_up=3)
    currents = [0.75, -0.75, -0.75]
    _, state = train(neuron, currents)  # fired at 1.25, ends at -1.25
    begun = neuron.restart(state)
    assert float(begun.v) == -0.5  # 1/2 - max(1, 1.25 - 0.999)
    assert train(neuron, currents, begun)[0] == [0, 0, 0]


def test_offset_spike_lowers_by_more_where_it_fired_from_far_above():
    neuron = OffsetSpike(warm_up=2)
    _, state = train(neuron, [2.0, -2.0])  # fired at 2.5, ends at -0.5
    assert float(neuron.restart(state).v) == pytest.approx(0.5 - 1.501)


def test_offset_spike_raises_who_fired_too_little():
    neuron = OffsetSpike(warm_up=3)
    currents = [-0.75, 0.25, 1.75]  # v: -0.25, 0, 1.75 -> 0.75: nothing is left to be fired
    _, state = train(neuron, currents)
    assert float(neuron.restart(state).v) == 0.5
    currents = [-0.75, 0.25, 2.25]  # v: -0.25, 0, 2.25 -> 1.25: one spike is
    emitted, state = train(neuron, currents)
    assert emitted == [0, 0, 1]
    begun = neuron.restart(state)
    assert float(begun.v) == pytest.approx(0.5 + 1.001)  # 1.001 - 0, the largest silent potential
    assert train(neuron, currents, begun)[0] == [0, 1, 1]


def test_st_bif_takes_back_a_spike():
    # v before the reset: 1.25, -0.5, -0.25: one spike up, two down
    emitted, state = train(STBIF(), [0.75, -0.75, -0.75])
    assert emitted == [1, -1, -1]
    assert (float(state.v), float(state.total)) == (0.75, -1.0)


def test_st_bif_reaches_the_rounded_value_of_what_came_at_once():
    emitted, state = train(STBIF(), [2.75, 0, 0, 0])
    assert emitted == [1, 1, 1, 0]
    assert float(state.total) == 3.0


def test_st_bif_keeps_within_its_limits():
    emitted, state = train(STBIF(maximum=2), [2.75, 0, 0, -4.0])
    assert emitted == [1, 1, 0, -1]
    assert float(state.total) == 1.0


def test_multi_threshold_fires_the_largest_threshold_that_is_reached():
    # 0.8 -> 1/2 (1 needs 1 - 1/256); then 0.3 -> 1/4; 0.05 -> 1/32; 0.01875 -> 1/64
    emitted, v = train(MultiThreshold(), [0.8, 0, 0, 0])
    assert emitted == [1 / 2, 1 / 4, 1 / 32, 1 / 64]
    assert float(v) == pytest.approx(0.8 - 0.796875)


def test_multi_threshold_fires_half_of_the_smallest_below_a_threshold():
    assert train(MultiThreshold(), [1 - 1 / 256])[0] == [1]
    assert train(MultiThreshold(), [-(1 - 1 / 255)])[0] == [-1 / 2]
    assert train(MultiThreshold(), [1 / 257])[0] == [0]


def test_burst():
    # v before the reset: 3.5, 1.5, 0.5
    emitted, v = train(Burst(length=2), [3.0, 0, 0])
    assert emitted == [2, 1, 0]
    assert float(v) == 0.5
    assert Burst().spikes(torch.tensor([2.0, 0.0])).tolist() == [2, 0]


def test_phase_fires_once_where_it_is_nearest():
    # worths 1, 1/2, 1/4, 1/8; borders between them 3/4, 3/8, 3/16
    assert train(Phase(2.0), [0.3, 0, 0, 0])[0] == [0, 0, 0.25, 0]
    assert train(Phase(2.0), [-0.8, 0, 0, 0])[0] == [-1, 0, 0, 0]
    assert train(Phase(2.0), [0.05, 0, 0, 0])[0] == [0, 0, 0, 0]


@pytest.mark.parametrize("value", [-0.3, 0.0, 0.2, 0.46875, 0.9, 1.7])
def test_a_constant_current_becomes_its_clipped_quantised_value(value):
    steps = 8
    rounded = min(max(torch.tensor(steps * value + 0.5).floor().item(), 0), steps)
    assert sum(train(IntegrateAndFire(), [value] * steps)[0]) == rounded
    signed = min(max(torch.tensor(steps * value + 0.5).floor().item(), -steps), steps)
    assert sum(train(STBIF(), [value] * steps)[0]) == signed


@given(
    values=st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=30),
    base=st.floats(1.05, 3),
    steps=st.integers(1, 40),
)
def test_phase_responds_at_once_as_it_does_step_by_step(values, base, steps):
    neuron, current = Phase(base), torch.tensor(values)
    for stepped, at_once in zip(
        Neuron.respond(neuron, current, steps), neuron.respond(current, steps), strict=True
    ):
        assert torch.equal(at_once, stepped)


@given(
    values=st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=30), steps=st.integers(1, 12)
)
def test_each_spike_of_a_response_counts(values, steps):
    """Two that cancel count, too."""
    current, neuron = torch.tensor(values, dtype=torch.float64), STBIF()
    emitted, spikes = neuron.respond(current, steps)
    for value, of_one, number in zip(values, emitted.tolist(), spikes.tolist(), strict=True):
        fired, _ = train(neuron, [value] + [0.0] * (steps - 1))
        assert (of_one, number) == (sum(fired), sum(spike != 0 for spike in fired))


@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=30))
def test_multi_thresholds_are_those_of_a_search(values):
    v = torch.tensor(values)
    thetas = torch.tensor([0.0, *(2.0**-k for k in reversed(range(8)))])
    reached = torch.bucketize(v.abs(), thetas[1:] - 2.0**-8, right=True)
    spikes, _ = MultiThreshold().step(v, torch.zeros_like(v), 1)
    assert torch.equal(spikes, v.sign() * thetas[reached])


@given(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=12))
def test_offset_spike_knows_where_it_fired_and_where_it_was_silent(values):
    neuron, potentials = OffsetSpike(), []
    state = neuron.begin(torch.zeros(()))
    for t, value in enumerate(values, start=1):
        potentials.append(float(state.v + torch.tensor(value)))
        _, state = neuron.step(torch.tensor(value), state, t)
    assert float(state.noted.fired_at) == min((v for v in potentials if v >= 1), default=math.inf)
    assert float(state.noted.silent_at) == max((v for v in potentials if v < 1), default=-math.inf)

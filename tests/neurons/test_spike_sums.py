"""The tables from which the CPU's kernels read what all time steps fire."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from las.neurons import OAT, code_oat, mt
from las.neurons.fused import fired_by_rows, without_rows
from las.neurons.tables import FINE, spike_sums

ONE = 1 + 256  # a spike of level 1, which has one digit


def test_two_plain_steps_by_hand() -> None:
    # T = 2, H = 1, theta = 2, 1: from 1 on the second step fires, from 2 on the first, from 3 both
    coarse, fine = spike_sums(2, 1, "floor", 2)
    assert not coarse.any()  # both are among the last steps
    values = [0, 0, 1, 1, 2, 2, 3]  # for v = 0, 1/2, 1 ..
    fired = [0, 0, ONE, ONE, ONE, ONE, 2 * ONE]
    assert (fine & 0xFFFF).tolist()[: len(values)] == values
    assert (fine >> 16).tolist()[: len(values)] == fired


def test_steps_after_the_stop_fire_nothing() -> None:
    whole, halted = spike_sums(10, 5, "nearest", 10), spike_sums(10, 5, "nearest", 2)
    assert (whole[0] == halted[0]).all() and whole[0].any()
    assert whole[1].any() and not halted[1].any()


@pytest.mark.parametrize("levels", [1, 5, 16])
@pytest.mark.parametrize("rounding", ["nearest", "half_step", "floor"])
def test_every_potential_of_a_short_neuron(levels: int, rounding: Any) -> None:
    """All that T = FINE + 2 steps can tell apart, through both tables, spike for spike."""
    steps = FINE + 2
    neuron = OAT((1.0,), (), steps, levels, rounding)
    delta = neuron.bands[0].delta
    v = torch.arange(2 * (2 * levels - 1) * 2**steps + 8, dtype=torch.float64) / 2
    coded = code_oat(v * delta, neuron, count=True)
    rest = mt.within_grid(v * delta * (1 / delta) + mt.initial_raise(levels, rounding), rounding)
    value, spikes = torch.zeros_like(v), torch.zeros_like(v)
    for t in range(1, steps + 1):
        level, rest = mt.step(rest, t, neuron.bands[0])
        value += level * 2.0 ** (steps - t)
        spikes += level > 0
    inside = v <= (2 * levels - 1) * 2**steps
    assert coded.counts is not None
    assert torch.equal(coded.value[inside], (value * delta)[inside])
    assert torch.equal(coded.counts[inside].double(), spikes[inside])


@pytest.mark.parametrize(("steps", "rounding"), [(16, "signed"), (32, "nearest"), (21, "floor")])
def test_there_is_no_table_where_potentials_are_not_exact(steps: int, rounding: Any) -> None:
    coarse, fine = spike_sums(steps, 5, rounding, steps)
    assert not len(coarse) and not len(fine)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 700), (70_000, 2), (0, 5), (5, 0)])
def test_what_rows_fire(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    spikes = torch.randint(0, 17, shape, generator=generator)
    digits = spikes * torch.randint(1, 4, shape, generator=generator)
    found = fired_by_rows((spikes + 256 * digits).to(torch.int16))
    for given, expected in zip(found, (spikes, digits, spikes != 0), strict=True):
        assert torch.equal(given, expected.sum(-1))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 700), (70_000, 2), (0, 5), (5, 0)])
def test_silent_rows_have_fired_nothing(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    packed = torch.randint(0, 2**14, shape, generator=generator, dtype=torch.int16)
    before = packed.clone()
    silent = torch.rand(shape[:-1], generator=generator) < 0.5
    heard, found = without_rows(packed, silent)
    assert torch.equal(packed, before)
    assert torch.equal(heard, packed * ~silent[..., None])
    for given, expected in zip(found, fired_by_rows(heard), strict=True):
        assert torch.equal(given, expected)


def test_the_default_device_of_the_process_does_not_matter() -> None:
    spike_sums.cache_clear()
    with torch.device("meta"):
        _, fine = spike_sums(2, 1, "floor", 2)
        found = fired_by_rows(torch.tensor([[1, 2]], dtype=torch.int16, device="cpu"))
    assert fine.any()
    assert [int(rows) for rows in found] == [3, 0, 2]

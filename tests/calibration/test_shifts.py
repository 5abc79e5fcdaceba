"""How far thresholds of channels are apart: by hand, and what it saves with neurons that fire."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from las.calibration import SiteStatistics, Statistics, bins
from las.calibration.budget import allot, choices
from las.calibration.gradients import by_magnitude, products_of_octaves
from las.calibration.sensitivity import Sensitivity, Shifted, by_gradients
from las.calibration.shifts import shifts_for, units_of
from las.config import SpikeConfig
from las.neurons import code_oat
from tests.calibration.test_sensitivity import BINS, Layers, X, batches

ROWS, CHANNELS = 2000, 64


def test_half_the_gradients_take_thresholds_twice_as_large() -> None:
    """Squares of 16, 4 and 1: root mean squares an octave apart each."""
    assert shifts_for({"s": torch.tensor([16.0, 4.0, 1.0])}) == {"s": (-1, 0, 1)}
    assert shifts_for({"s": torch.tensor([1.0, 1.0, 1.3])}) == {}
    apart = shifts_for({"s": torch.tensor([2.0**40] * 3 + [0.0] + [1.0] * 3)})["s"]
    assert apart == (-4, -4, -4, 4, 4, 4, 4)  # no more than so much, and 0 is what is least
    mostly_dead = torch.tensor([4.0, 1.0, 0.25] + [0.0] * 60)
    assert shifts_for({"s": mostly_dead})["s"] == (-1, 0, 1, *[1] * 60)
    assert shifts_for({"s": torch.zeros(3)}) == {}


def test_gradients_tell_what_channels_cost_in_their_own_units() -> None:
    """Columns of norm 4, 2 and 1: the squares 16, 4 and 1, and 2^-1, 1 and 2 are the units."""
    weight = torch.tensor([[4.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    found = by_gradients(Layers(X[None], weight), batches(8), {})
    site = found.shifted["layers.0.site"]
    assert site.shifts == (-1, 0, 1)
    # 1, 2 and 4 are 2 of the first unit, 2 of the second, and 2 of the third one.
    both = BINS[1]
    assert site.histogram[both] == pytest.approx(1)
    expected = (weight.square().sum(0) * torch.tensor([0.25, 1.0, 4.0])).sum()
    assert site.costs[both] == pytest.approx(float(expected / (weight @ X).square().sum()), rel=0.1)
    assert site.costs.sum() == pytest.approx(site.costs[both])
    assert found.costs["layers.0.site"][BINS].sum() == found.costs["layers.0.site"].sum()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_massive_activations_of_narrow_models_stay_finite_in_their_units(
    dtype: torch.dtype,
) -> None:
    """5000 is 80,000 of a unit of 1/16, which float16 does not hold."""
    table = torch.tensor([[5000.0, 1.0, 2.0]])
    weight = torch.diag(torch.tensor([2.0**-2, 2.0**-8, 2.0**-14]))
    wide, narrow = (
        by_gradients(Layers(table, weight).to(kind), batches(8), {}).shifted["layers.0.site"]
        for kind in (torch.float32, dtype)
    )
    assert narrow.shifts == wide.shifts == (-4, 0, 4)
    assert np.isfinite(narrow.together).all() and np.isfinite(narrow.costs).all()
    assert narrow.histogram == pytest.approx(wide.histogram, abs=1e-6)
    assert narrow.costs == pytest.approx(wide.costs, rel=0.1, abs=1e-9 * wide.costs.max())


def test_padding_is_no_activation() -> None:
    """Token 1, whose values lie elsewhere, is padding in half of the places."""
    weight = torch.tensor([[4.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    ids = torch.tensor([[0, 1]]).repeat(8, 64)
    table = torch.stack([X, X * 32])
    batch = {"input_ids": ids, "attention_mask": 1 - ids}
    found = by_gradients(Layers(table, weight), [batch], {}).shifted["layers.0.site"]
    assert found.histogram[BINS[1]] == pytest.approx(1)


def seen(importance: torch.Tensor) -> tuple[Statistics, Sensitivity, torch.Tensor]:
    """Normal values, a squared error of which costs what its channel is worth."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, CHANNELS, generator=generator, dtype=torch.float64)
    gradient = importance.sqrt().expand_as(x)
    histogram, _ = np.histogram(x.abs(), bins.edges())
    peak = x.abs().amax(0).numpy()
    site = SiteStatistics(
        "oat", count=x.numel(), low=float(x.min()), high=float(x.max()),
        histogram=histogram.astype(float), channel_peak=peak,
    )  # fmt: skip
    shifted = {}
    for name, shifts in shifts_for({"s": ROWS * importance}).items():
        units = units_of(shifts, x)
        there = by_magnitude(x / units, torch.ones_like(x))
        costs = by_magnitude(x / units, (gradient * units).square()) / ROWS
        # Signs of errors are even, so that they have nothing in common.
        together = np.zeros_like(products_of_octaves(x[:1], gradient[:1], 1))
        shifted[name] = Shifted(shifts, there / there.sum(), costs, together)
    costs = {"s": by_magnitude(x, gradient.square()) / ROWS}
    sensitivity = Sensitivity(costs, {"s": 3.0}, {}, shifted)
    return Statistics("base", "llama", {"s": site}, tokens=ROWS), sensitivity, x


@pytest.mark.parametrize("levels", [1, 5, 16])
def test_thresholds_of_channels_cost_what_they_are_said_to_and_less_than_others(
    levels: int,
) -> None:
    """A tenth of the channels matters 256 times as much as the others."""
    importance = torch.ones(CHANNELS, dtype=torch.float64)
    importance[::10] = 256.0
    statistics, sensitivity, x = seen(importance)
    config = SpikeConfig(24, levels, 3, budget=1.0)
    spent: dict[bool, list[int]] = {}
    for told in (True, False):
        given = sensitivity if told else Sensitivity(sensitivity.costs, sensitivity.synapses)
        options = choices(statistics, given, config)
        for budget in (0.1, 1.0, 10.0):
            bought = allot(statistics, options, config, budget)
            site = bought.thresholds.sites["s"]
            assert bool(site.shifts) == told
            assert bought.shifts == ({"s": site.shifts} if told else {})
            coded = code_oat(x, site.neuron(config), count=True)
            loss = float(((coded.value - x).square() * importance).sum()) / ROWS
            assert 0.7 * budget < loss <= 1.02 * budget  # a step of last thresholds is a fifth
            assert not coded.out_of_range
            chosen = options["s"].apart if told else options["s"].alike
            assert chosen is not None
            last = site.taus[0] * 2.0 ** -(site.time_steps or 0)
            choice = int(np.abs(chosen.last - last).argmin())
            operations = coded.spikes / ROWS * 3.0
            assert chosen.operations[choice] == pytest.approx(operations, rel=0.03)
            spent.setdefault(told, []).append(coded.spikes)
    assert (np.array(spent[True]) < 0.9 * np.array(spent[False])).all()


def test_where_they_save_little_all_channels_are_alike() -> None:
    """One channel of 64 that is a little different is not worth it."""
    importance = torch.ones(CHANNELS, dtype=torch.float64)
    importance[0] = 4.5
    statistics, sensitivity, _ = seen(importance)
    assert any(sensitivity.shifted["s"].shifts)
    config = SpikeConfig(24, 16, 3, budget=1.0)
    bought = allot(statistics, choices(statistics, sensitivity, config), config, 1.0)
    assert bought.thresholds.sites["s"].shifts == ()

"""What a budget buys, against all that it could buy and against neurons that really fire."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from las.calibration import SiteStatistics, Statistics, bins
from las.calibration.bins import octaves_of
from las.calibration.budget import Allotted, Choices, SiteChoices, allot, choices
from las.calibration.gradients import products_of_octaves
from las.calibration.sensitivity import Sensitivity
from las.config import SpikeConfig
from las.neurons import OAT, code_oat

EXAMPLES = settings(max_examples=20, deadline=None)
TOKENS = 1000
LEVELS = st.sampled_from([1, 2, 5, 16])
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def values() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        "normal": rng.standard_normal(40_000) * 3,
        "heavy": rng.standard_t(3, 30_000) * 0.01,
        "tiny": rng.standard_normal(20_000) * 1e-6,
        "sparse": rng.standard_normal(90_000) * (rng.random(90_000) < 0.2),
    }


@pytest.fixture(scope="module")
def statistics(values: dict[str, Array]) -> Statistics:
    sites = {}
    for name, x in values.items():
        histogram, _ = np.histogram(np.abs(x[x != 0]), bins.edges())
        sites[name] = SiteStatistics(
            "oat", count=len(x), low=x.min(), high=x.max(), histogram=histogram.astype(float)
        )
    sites["function"] = SiteStatistics("silu", count=1, low=0.0, high=1.0)
    return Statistics("base", "llama", sites, tokens=TOKENS)


@pytest.fixture(scope="module")
def costs(statistics: Statistics) -> Sensitivity:
    """A squared error costs the same wherever it is made; as if each site had gradients of 1."""
    sites = {n: s for n, s in statistics.sites.items() if s.kind == "oat"}
    return Sensitivity(
        {name: site.histogram / TOKENS for name, site in sites.items()},
        dict(zip(sites, (10.0, 3.0, 100.0, 1.0), strict=True)),
    )


def config(levels: int, margin: float = 2.0, time_steps: int = 24, bands: int = 3) -> SpikeConfig:
    return SpikeConfig(time_steps, levels, bands, margin=margin, budget=1.0)


def some_choices(
    last: Array, operations: Array, loss: Array, further: tuple[tuple[float, ...], ...]
) -> Choices:
    """Choices whose errors have nothing in common."""
    return Choices(last, operations, loss, further, loss, np.zeros((len(last), bins.OCTAVES)))


def fires(x: Array, neuron: OAT) -> tuple[int, float, int]:
    """Spikes, the squared error, and inputs out of range."""
    inputs = torch.from_numpy(x)
    coded = code_oat(inputs, neuron, count=True)
    return coded.spikes, float((coded.value - inputs).square().sum()), coded.out_of_range


@pytest.mark.parametrize("levels", [1, 5, 16])
@pytest.mark.parametrize("name", ["normal", "heavy", "sparse"])
def test_a_choice_costs_what_its_neurons_really_cost(
    statistics: Statistics, costs: Sensitivity, values, name: str, levels: int
) -> None:
    """From a last threshold at the peak down to one of 12 octaves below."""
    option = choices(statistics, costs, config(levels))[name].alike
    assert (np.diff(option.last) < 0).all()
    x = values[name]
    peak = np.abs(x).max()
    for choice in range(0, len(option.last), 7):
        last = option.last[choice]
        if last < peak / 2**12:
            break
        spikes, error, _ = fires(x, OAT((last * 2.0**30,), (), 30, levels, "signed"))
        operations = spikes / TOKENS * costs.synapses[name]
        few = 4 * costs.synapses[name] * (spikes + 1) ** 0.5 / TOKENS
        assert option.operations[choice] == pytest.approx(operations, rel=0.02, abs=few)
        assert option.loss[choice] == pytest.approx(error / TOKENS, rel=0.05)


@pytest.mark.parametrize(("levels", "steps"), [(1, 24), (5, 24), (16, 24), (5, 4)])
def test_silent_values_of_a_token_are_lost_together(levels: int, steps: int) -> None:
    """An output that sums positive values, as attention sums probabilities: (sum of e)^2 / 2."""
    x = np.abs(np.random.default_rng(3).standard_normal((TOKENS, 30))) ** 3 + 1e-6
    histogram, _ = np.histogram(x, bins.edges())
    site = SiteStatistics(
        "oat", count=x.size, low=x.min(), high=x.max(), histogram=histogram.astype(float)
    )
    one = Statistics("base", "llama", {"s": site}, tokens=TOKENS)
    inputs = torch.from_numpy(x)
    together = products_of_octaves(inputs, inputs, 1) / (2 * TOKENS)
    costs = Sensitivity({"s": site.histogram / (2 * TOKENS)}, {"s": 1.0}, {"s": together})
    given = config(levels, time_steps=steps)
    option = choices(one, costs, given)["s"].alike
    alone = choices(one, replace(costs, together={}), given)["s"].alike
    seen = 0
    for choice, neuron in enumerate(neurons_of(option, site, given)):
        if choice % 5 or not 2**-8 < option.last[choice] / site.peak < 2**-2:
            continue
        seen += 1
        error = code_oat(inputs, neuron, count=False).value - inputs
        loss = float(error.sum(-1).square().mean()) / 2
        assert option.loss[choice] == pytest.approx(loss, rel=0.15)
        assert alone.loss[choice] < 0.5 * loss
    assert seen > 3


@pytest.mark.parametrize(("levels", "steps"), [(1, 24), (5, 24), (16, 24), (5, 4), (16, 3)])
@pytest.mark.parametrize("budget", [0.1, 10.0])
@pytest.mark.parametrize("name", ["normal", "heavy"])
def test_an_allotment_says_what_values_lose_in_the_mean_and_how_far_they_scatter(
    statistics: Statistics, costs: Sensitivity, values, name: str, levels: int, steps: int,
    budget: float,
) -> None:  # fmt: skip
    """Octave by octave, against neurons that really fire."""
    given = config(levels, time_steps=steps)
    found = allot(statistics, choices(statistics, costs, given), given, budget)
    x = np.abs(values[name][values[name] != 0])
    taus, gates, t, _ = found.thresholds.sites[name]
    assert t is not None
    inputs = torch.from_numpy(x)
    error = code_oat(inputs, OAT(taus, gates, t, levels, "signed"), count=False).value - inputs
    seen = octaves_of(inputs)
    many = [octave for octave in seen.unique().tolist() if (seen == octave).sum() > 500]
    assert len(many) > 3
    for octave in many:
        of_octave, values_there = error[seen == octave], inputs[seen == octave]
        mean = float(of_octave.sum() / values_there.sum())
        deviation = 4 * float(of_octave.std() / values_there.mean() / len(of_octave) ** 0.5)
        assert found.relative[name][octave] == pytest.approx(mean, abs=deviation + 0.01)


def test_scattered_errors_are_what_is_left_of_the_squares(statistics, costs, values) -> None:
    """All squared errors, less the squares of the mean ones; many values are silent."""
    given = config(5)
    found = allot(statistics, choices(statistics, costs, given), given, 1.0)
    squares = of_mean = 0.0
    for name, x in values.items():
        taus, gates, t, _ = found.thresholds.sites[name]
        assert t is not None
        inputs = torch.from_numpy(x)
        coded = code_oat(inputs, OAT(taus, gates, t, 5, "signed"), count=False).value
        mean = inputs * torch.from_numpy(found.relative[name])[octaves_of(inputs)]
        squares += float((coded - inputs).square().sum()) / TOKENS
        of_mean += float(mean.square().sum()) / TOKENS
    assert found.scattered == pytest.approx(squares - of_mean, rel=0.05)
    assert of_mean > 0.1 * squares


def neurons_of(option: Choices, site: SiteStatistics, given: SpikeConfig) -> list[OAT]:
    """What would be fired with each choice of a site, one by one."""
    found = []
    for choice in range(len(option.last)):
        last, further = option.last[[choice]], (option.further[choice],)
        only = some_choices(last, np.zeros(1), np.zeros(1), further)
        one = Statistics("base", "llama", {"s": site}, tokens=TOKENS)
        bought = allot(one, {"s": SiteChoices(only)}, given, 1.0)
        taus, gates, steps, _ = bought.thresholds.sites["s"]
        assert steps is not None
        found.append(OAT(taus, gates, steps, given.levels, "signed"))
    return found


@pytest.mark.parametrize(("steps", "levels"), [(4, 5), (6, 1), (8, 16)])
@pytest.mark.parametrize("name", ["normal", "heavy"])
def test_so_does_a_choice_of_several_bands(
    statistics: Statistics, costs: Sensitivity, values, name: str, steps: int, levels: int
) -> None:
    """Down to a last threshold of 14 octaves below the peak."""
    given = config(levels, time_steps=steps)
    option = choices(statistics, costs, given)[name].alike
    x, site = values[name], statistics.sites[name]
    seen = set()
    for choice, neuron in enumerate(neurons_of(option, site, given)):
        if choice % 11 or option.last[choice] < site.peak / 2**14:
            continue
        seen.add(len(neuron.taus))
        assert neuron.time_steps <= steps
        spikes, error, outside = fires(x, neuron)
        assert outside == 0
        few = 4 * costs.synapses[name] * (spikes + 1) ** 0.5 / TOKENS
        operations = spikes / TOKENS * costs.synapses[name]
        assert option.operations[choice] == pytest.approx(operations, rel=0.03, abs=few)
        assert option.loss[choice] == pytest.approx(error / TOKENS, rel=0.06)
    assert seen == {1, 2, 3}


def test_no_other_band_between_loses_less(statistics: Statistics, costs, values) -> None:
    """All sizes of its last threshold, one by one, by coding the values."""
    given = config(5, time_steps=4)
    option = choices(statistics, costs, given)["heavy"].alike
    x, site = values["heavy"], statistics.sites["heavy"]
    neurons = neurons_of(option, site, given)
    ladder = sorted({neuron.taus[0] for neuron in neurons})
    ends = {neuron.taus[0]: neuron.gates[0] for neuron in neurons if neuron.gates}
    three = [neuron for neuron in neurons if len(neuron.taus) == 3]
    for chosen in three[20:60:8]:
        first, _, widest = chosen.taus
        every = [
            OAT((first, tau, widest), (ends[first], ends[tau]), 4, 5, "signed")
            for tau in ladder
            if first < tau < widest and ends[first] < ends.get(tau, 0)
        ]
        assert len(every) > 8
        errors = [fires(x, neuron)[1] for neuron in every]
        assert fires(x, chosen)[1] <= 1.05 * min(errors)


def test_where_t_is_large_enough_further_bands_are_no_choice(statistics, costs) -> None:
    one, three = (choices(statistics, costs, config(5, bands=bands)) for bands in (1, 3))
    for name, option in one.items():
        assert set(three[name].alike.further) == {()}
        for part in ("last", "operations", "loss"):
            assert np.array_equal(getattr(option.alike, part), getattr(three[name].alike, part))


def test_each_choice_lets_more_spikes_and_less_loss(statistics, costs) -> None:
    """But for the phases within an octave, where levels fit in one way or another."""
    for option, _ in choices(statistics, costs, config(5)).values():
        eighth = slice(None, None, 8)
        assert (np.diff(option.operations[eighth]) >= 0).all()
        assert (np.diff(option.loss[eighth]) <= 0).all()
        assert option.loss[-1] < 1e-6 * option.loss[0]


def test_sites_without_costs_and_hg_sites_have_no_choice(statistics, costs) -> None:
    known = Sensitivity({"normal": costs.costs["normal"]}, costs.synapses)
    assert list(choices(statistics, known, config(5))) == ["normal"]
    assert "function" not in choices(statistics, costs, config(5))


@pytest.mark.parametrize("levels", [1, 5, 16])
@pytest.mark.parametrize("margin", [1.0, 1.5, 2.0, 7.0])
@pytest.mark.parametrize("budget", [1e-12, 1e-4, 1e-1, 1e1, 1e9])
def test_thresholds_reach_the_margin_in_as_many_steps_as_are_allowed(
    statistics: Statistics, costs: Sensitivity, budget: float, margin: float, levels: int
) -> None:
    """Where no threshold is low enough T is the most that is allowed, or an octave is left over."""
    for most in (24, 9, 1):
        options = config(levels, margin, most)
        found = allot(statistics, choices(statistics, costs, options), options, budget).thresholds
        assert list(found.sites) == list(costs.costs)
        for name, (taus, gates, steps, _) in found.sites.items():
            assert steps is not None and 1 <= steps <= most
            neuron = OAT(taus, gates, steps, levels, "signed")
            reached = neuron.largest / (margin * statistics.sites[name].peak)
            assert reached >= 1 - 2.0**-most
        if budget == 1e-12:
            assert max(site.time_steps or 0 for site in found.sites.values()) >= most - 1


def spent(options: dict[str, SiteChoices], found: Allotted) -> tuple[float, float]:
    """Operations and loss of what was allotted, site by site."""
    operations = loss = scattered = 0.0
    for name, (one, _) in options.items():
        taus, _, steps, _ = found.thresholds.sites[name]
        assert steps is not None
        lasts = [tau * 2.0**-steps for tau in taus]
        (choice,) = (
            i
            for i, each in enumerate(zip(one.last, one.further, strict=True))
            if abs(each[0] / lasts[0] - 1) < 1e-5
            and (*each[1],) == pytest.approx((*lasts[1:],), 1e-5)
        )
        operations += one.operations[choice]
        loss += one.loss[choice]
        scattered += one.scattered[choice]
        assert np.array_equal(found.relative[name], one.relative[choice])
    assert found.scattered == pytest.approx(scattered)
    return operations, loss


@pytest.mark.parametrize("steps", [4, 8])
def test_more_bands_reach_a_smaller_loss_in_as_many_steps(
    statistics: Statistics, costs: Sensitivity, steps: int
) -> None:
    """And what fewer reach, they reach for as many operations."""
    given = {bands: config(5, time_steps=steps, bands=bands) for bands in (1, 2, 3)}
    options = {bands: choices(statistics, costs, one) for bands, one in given.items()}
    least = {n: sum(one.least_loss for one in found.values()) for n, found in options.items()}
    assert least[3] < 0.6 * least[2] < 0.36 * least[1]
    operations = []
    for bands, found in options.items():
        bought = allot(statistics, found, given[bands], 1.1 * least[1])
        assert max(len(site.taus) for site in bought.thresholds.sites.values()) <= bands
        operations.append(spent(found, bought)[0])
    assert max(operations[1:]) <= 1.01 * operations[0]


BUDGETS = [1e-8, 1e-5, 1e-3, 1e-2, 0.1, 1.0, 10.0]


@pytest.mark.parametrize("levels", [1, 5, 16])
def test_a_larger_budget_never_costs_more_operations(statistics, costs, levels: int) -> None:
    options = choices(statistics, costs, config(levels))
    both = [spent(options, allot(statistics, options, config(levels), b)) for b in BUDGETS]
    operations, loss = map(np.array, zip(*both, strict=True))
    assert (np.diff(operations) <= 0).all()
    assert (np.diff(loss) >= 0).all()
    assert (loss <= BUDGETS).all()
    assert loss[3] > 0.5 * BUDGETS[3]  # and little of it is left over


@pytest.mark.parametrize("levels", [1, 5, 16])
def test_it_is_never_worse_than_one_relative_step_everywhere(
    statistics: Statistics, costs: Sensitivity, levels: int
) -> None:
    """At the same loss: the same number of octaves below the root mean square of each site."""
    options = choices(statistics, costs, config(levels))
    size = {
        name: float(np.sqrt((site.histogram * bins.edges()[:-1] ** 2).sum() / site.count))
        for name, site in statistics.sites.items()
        if name in options
    }
    gains = []
    for step in np.arange(-1, 8, 0.25):
        operations = loss = 0.0
        for name, (one, _) in options.items():
            choice = int(np.argmin(np.abs(np.log2(size[name] / one.last) - step)))
            operations, loss = operations + one.operations[choice], loss + one.loss[choice]
        found = spent(options, allot(statistics, options, config(levels), loss))
        assert found[1] <= loss
        gains.append(found[0] / operations)
    # The loss of the best choices has steps, too: what is left of a budget may buy nothing.
    assert max(gains) < 1.02
    assert np.mean(gains) < 0.97


@pytest.mark.parametrize("name", ["normal", "heavy", "sparse"])
@pytest.mark.parametrize("levels", [1, 2, 3, 5, 8, 12])
def test_no_smaller_h_is_cheaper_for_the_same_loss(
    statistics: Statistics, costs: Sensitivity, name: str, levels: int
) -> None:
    """So that there is nothing to be gained by an H for each site (Eq. 25 charges a spike)."""
    most, fewer = (choices(statistics, costs, config(h))[name].alike for h in (16, levels))
    for exponent in range(-12, 12):
        price = 10.0**exponent
        both = [
            one.operations[i] + price * one.loss[i]
            for one in (most, fewer)
            for i in [one.cheapest(price)]
        ]
        assert both[0] <= 1.005 * both[1]


ONE = st.lists(
    st.tuples(st.floats(0, 100), st.floats(1e-6, 10)), min_size=1, max_size=4, unique=True
)


@EXAMPLES
@given(st.lists(ONE, min_size=1, max_size=4), st.floats(1e-5, 50))
def test_nothing_else_within_the_loss_of_an_allotment_costs_fewer_operations(
    sites: list[list[tuple[float, float]]], budget: float
) -> None:
    """All combinations, one by one."""
    options, known = {}, {}
    for i, site in enumerate(sites):
        operations, loss = map(np.array, zip(*site, strict=True))
        last = 2.0 ** -np.arange(len(site))
        options[f"s{i}"] = SiteChoices(some_choices(last, operations, loss, ((),) * len(site)))
        known[f"s{i}"] = SiteStatistics("oat", count=1, low=-1.0, high=1.0)
    statistics = Statistics("base", "llama", known, tokens=1)
    operations, loss = spent(options, allot(statistics, options, config(1), budget))
    every = list(product(*sites))
    least = min(sum(part for _, part in one) for one in every)
    assert loss <= budget or loss == pytest.approx(least)
    for one in every:
        if sum(part for _, part in one) < loss * (1 - 1e-9):
            assert sum(part for part, _ in one) >= operations * (1 - 1e-9)


@EXAMPLES
@given(LEVELS, st.floats(1e-3, 1e3), st.floats(0.01, 100))
def test_the_scale_of_a_site_does_not_matter(levels: int, size: float, budget: float) -> None:
    """Twice as large activations take thresholds twice as large, and cost four times as much."""
    x = np.random.default_rng(1).standard_normal(500) * size

    def allotted(factor: float) -> tuple[float, int]:
        histogram, _ = np.histogram(np.abs(x * factor), bins.edges())
        site = SiteStatistics(
            "oat", count=500, low=x.min() * factor, high=x.max() * factor,
            histogram=histogram.astype(float),
        )  # fmt: skip
        one = Statistics("base", "llama", {"s": site}, tokens=TOKENS)
        costs = Sensitivity({"s": site.histogram / factor**2}, {"s": 4.0})
        options = choices(one, costs, config(levels))
        found = allot(one, options, config(levels), budget * size**2)
        (tau,), _, steps, _ = found.thresholds.sites["s"]
        assert steps is not None
        return tau, steps

    tau, steps = allotted(1)
    assert allotted(2) == (2 * tau, steps)

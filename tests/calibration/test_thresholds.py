from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from las.calibration import SiteStatistics, Statistics, Thresholds, bins, choose_thresholds
from las.calibration.thresholds import full_scale
from las.config import SpikeConfig
from las.errors import CalibrationError
from las.neurons import OAT, code_oat

Values = NDArray[np.float64]


def choose(site: SiteStatistics, config: SpikeConfig) -> OAT:
    found = choose_thresholds(Statistics("", "", {"site": site}), config).sites["site"]
    return OAT(found.taus, found.gates, config.time_steps, config.levels, config.rounding)


def mean_square_error(values: Values, neuron: OAT) -> float:
    x = torch.from_numpy(values)
    return float((code_oat(x, neuron).value - x).square().mean())


def two_clusters(seed: int = 0) -> Values:
    """Normal activations and, one in two hundred and fifty, massive ones."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(10_000)
    massive = rng.choice([-1, 1], 40) * rng.uniform(250, 350, 40)
    return np.concatenate([normal, massive])


def long_tail(seed: int = 0) -> Values:
    rng = np.random.default_rng(seed)
    return rng.standard_t(2, 10_000)


def brute_force(values: Values, outer: float, config: SpikeConfig) -> float:
    """The smallest error that any gate gives, with each band filled to its full scale."""
    scale = full_scale(config)
    gates = np.geomspace(outer / 2**11, outer, 150)[:-1]
    return min(
        mean_square_error(
            values,
            OAT((gate / scale, outer), (gate,), config.time_steps, config.levels, config.rounding),
        )
        for gate in gates
    )


@pytest.mark.parametrize("steps", [6, 8, 12])
def test_the_gate_separates_two_clusters(seen, steps: int) -> None:
    values = two_clusters()
    neuron = choose(seen(values), SpikeConfig(time_steps=steps))
    normal = np.abs(values[np.abs(values) < 100]).max()
    assert normal * 0.8 < neuron.gates[0] < 250
    assert neuron.bands[0].largest >= 0.999 * neuron.gates[0]


@pytest.mark.parametrize("values", [two_clusters(), long_tail()], ids=["clusters", "long tail"])
@pytest.mark.parametrize(
    "config",
    [
        SpikeConfig(time_steps=6, levels=1),
        SpikeConfig(time_steps=8),
        SpikeConfig(time_steps=10, levels=3, rounding="floor"),
        SpikeConfig(time_steps=8, levels=12, rounding="half_step"),
    ],
    ids=lambda config: f"T{config.time_steps}H{config.levels}{config.rounding}",
)
def test_no_other_gate_gives_a_smaller_error(seen, values: Values, config: SpikeConfig) -> None:
    """Measured by coding the values.

    What is allowed is the width of a bin, and what the best of many gates gains by fitting these
    values rather than their distribution.
    """
    neuron = choose(seen(values), config)
    assert mean_square_error(values, neuron) <= 1.08 * brute_force(values, neuron.taus[1], config)


@pytest.mark.parametrize("values", [two_clusters(), long_tail()], ids=["clusters", "long tail"])
def test_more_bands_give_a_smaller_error(seen, values: Values) -> None:
    site = seen(values)
    errors = [
        mean_square_error(values, choose(site, SpikeConfig(time_steps=8, bands=bands)))
        for bands in (1, 2, 3, 4)
    ]
    for more, fewer in pairwise(reversed(errors)):
        assert more <= fewer * 1.01
    assert errors[2] < errors[0] / 10


def test_thresholds_chosen_by_error_beat_the_rules_of_paper_and_released_code(seen) -> None:
    """On values that were not calibrated on."""
    site, fresh = seen(two_clusters()), two_clusters(seed=1)
    errors = {
        rule: mean_square_error(
            fresh, choose(site, SpikeConfig(time_steps=10, threshold_rule=rule))
        )
        for rule in ("error", "percentile", "paper", "released")
    }
    assert errors["error"] < errors["paper"]
    assert errors["error"] < errors["released"]
    assert errors["error"] < errors["percentile"]


def test_importance_moves_the_gate(seen) -> None:
    """Where only the small values matter to the consumer, the inner band is for them."""
    values = long_tail()
    plain, weighted = seen(values), seen(values)
    weighted.importance = weighted.histogram * (bins.edges()[1:] <= 0.125)
    config = SpikeConfig(time_steps=8)
    assert choose(weighted, config).gates[0] < choose(plain, config).gates[0]
    small = values[np.abs(values) < 0.125]
    assert mean_square_error(small, choose(weighted, config)) < mean_square_error(
        small, choose(plain, config)
    )


def test_the_paper_s_rule(seen) -> None:
    values = long_tail()
    neuron = choose(seen(values), SpikeConfig(threshold_rule="paper"))
    percentile = np.percentile(np.abs(values), 99)
    assert percentile <= neuron.gates[0] <= percentile * (1 + 1 / 16)
    assert neuron.taus[0] == pytest.approx(neuron.gates[0], rel=1e-5)
    assert neuron.taus[1] == pytest.approx(1.1 * np.abs(values).max(), rel=1e-5)


def test_percentiles(seen) -> None:
    """Bands are filled to their full scale, and one value in a thousand saturates."""
    values = long_tail()
    neuron = choose(seen(values), SpikeConfig(threshold_rule="percentile"))
    percentiles = np.percentile(np.abs(values), [99, 99.9])
    for band, percentile in zip(neuron.bands, percentiles, strict=True):
        assert percentile <= band.largest <= percentile * (1 + 1 / 16)
    assert neuron.bands[0].largest == pytest.approx(neuron.gates[0], rel=1e-5)
    outside = code_oat(torch.from_numpy(values), neuron, count=True).out_of_range
    assert 0 < outside <= len(values) / 1000


def test_the_released_code_s_constants(seen) -> None:
    config = SpikeConfig(threshold_rule="released")
    neuron = choose(seen(long_tail()), config)
    assert neuron.gates == (10.0,)
    assert neuron.taus == pytest.approx((10.0, 500.0), rel=1e-5)
    neuron = choose(seen(long_tail(), scale_free=True), config)
    assert neuron.gates == (200.0,)
    assert neuron.taus == pytest.approx((200.0, 700.0), rel=1e-5)


@pytest.mark.parametrize("margin", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("bands", [1, 2, 4])
def test_the_largest_value_lies_beyond_what_was_seen_by_the_margin(
    seen, margin: float, bands: int
) -> None:
    values = two_clusters()
    peak = np.abs(values).max()
    neuron = choose(seen(values), SpikeConfig(margin=margin, bands=bands))
    assert margin * peak <= neuron.largest <= margin * peak * (1 + 1 / 15)
    assert code_oat(torch.from_numpy(values), neuron, count=True).out_of_range == 0


def test_sums_of_weighted_spikes_are_exact(seen) -> None:
    """tau / H has few bits, so that no order of addition rounds."""
    for levels in (1, 3, 5, 7, 16):
        for tau in choose(seen(long_tail()), SpikeConfig(levels=levels, bands=3)).taus:
            mantissa, _ = np.frexp(tau / levels)
            assert mantissa * 2**20 == round(mantissa * 2**20)


def test_every_site_of_spiking_inputs_gets_thresholds_and_no_other(seen) -> None:
    statistics = Statistics("", "", {"a": seen(long_tail()), "exp": SiteStatistics("exp")})
    assert list(choose_thresholds(statistics, SpikeConfig()).sites) == ["a"]


@pytest.mark.parametrize("rule", ["error", "percentile", "paper", "released"])
@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0, 1e4, 1e9])
def test_a_site_that_saw_one_value_only_gets_usable_thresholds(
    seen, rule: str, value: float
) -> None:
    site = seen(np.full(100, value))
    neuron = choose(site, SpikeConfig(threshold_rule=rule))
    if rule != "released":
        coded = code_oat(torch.full((1,), value, dtype=torch.float64), neuron, count=True)
        assert coded.value.item() == pytest.approx(value, rel=1e-3)
        assert coded.out_of_range == 0


def test_activations_too_large_for_the_bins_are_a_clear_error(seen) -> None:
    site = seen(np.array([1.0, 1e13]))
    with pytest.raises(CalibrationError, match="too large"):
        choose(site, SpikeConfig())


def test_thresholds_survive_a_file(seen, tmp_path: Path) -> None:
    statistics = Statistics("", "", {"a": seen(long_tail()), "b": seen(two_clusters())})
    thresholds = choose_thresholds(statistics, SpikeConfig(bands=3))
    path = tmp_path / "deep" / "thresholds.json"
    thresholds.save(path)
    assert Thresholds.load(path) == thresholds


@pytest.mark.parametrize("kept", [0, 1, 60, -1])
def test_a_truncated_file_is_a_clear_error(seen, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "thresholds.json"
    statistics = Statistics("", "", {"a": seen(long_tail())})
    choose_thresholds(statistics, SpikeConfig()).save(path)
    path.write_text(path.read_text()[:kept])
    with pytest.raises(CalibrationError, match="calibrate again"):
        Thresholds.load(path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="calibrate again"):
        Thresholds.load(tmp_path / "none.json")

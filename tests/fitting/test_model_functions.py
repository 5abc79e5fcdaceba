from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from las.calibration import SiteStatistics, Statistics
from las.config import SpikeConfig
from las.errors import CalibrationError
from las.fitting import FittedFunctions, fit_functions


def site(kind: str, low: float, high: float) -> SiteStatistics:
    return SiteStatistics(kind, count=100, low=low, high=high)


@pytest.fixture
def statistics() -> Statistics:
    return Statistics(
        "base",
        "llama",
        {
            "a": site("silu", -3.0, 12.0),
            "b": site("silu", -9.0, 4.0),
            "exp": site("exp", -15.0, 0.0),
            "norm": site("inverse_sqrt", 0.01, 50.0),
            "squares": site("square", -8.0, 3.0),
            "linear": site("oat", -1.0, 1.0),
            "unused": SiteStatistics("tanh"),
        },
    )


def test_each_function_is_fitted_once_over_all_ranges_at_which_it_is_used(
    statistics: Statistics,
) -> None:
    functions = fit_functions(statistics, SpikeConfig(time_steps=12))
    assert sorted(functions.fits) == ["exp", "inverse_sqrt", "silu", "square"]
    silu = functions.neurons["silu"]
    assert (silu.low, silu.high, silu.time_steps) == (-9.0, 12.0, 12)
    assert functions.neurons["inverse_sqrt"].low <= 0.01
    assert functions.neurons["inverse_sqrt"].high >= 50
    assert functions.neurons["exp"].high == 0


def test_the_summary_tells_size_range_errors_and_spikes(statistics: Statistics) -> None:
    rows = fit_functions(statistics, SpikeConfig()).summary()
    assert [row["function"] for row in rows] == ["exp", "inverse_sqrt", "silu", "square"]
    for row in rows:
        assert row["met"]
        assert row["N"] >= 2
        assert 0 < row["mean_error"] <= row["max_error"]
        assert 1 <= row["mean_spikes"] <= row["time_steps"] == 16
        assert row["range_low"] < row["range_high"]


def test_a_budget_of_the_config_replaces_the_default(statistics: Statistics) -> None:
    default = fit_functions(statistics, SpikeConfig()).fits["silu"]
    loose = fit_functions(statistics, SpikeConfig(budgets={"silu": (1e-2, 0.0)})).fits["silu"]
    assert loose.budget.absolute == 1e-2
    assert loose.neuron.size < default.neuron.size


def test_a_budget_for_an_unknown_function_is_refused(statistics: Statistics) -> None:
    with pytest.raises(ValueError, match="sine"):
        fit_functions(statistics, SpikeConfig(budgets={"sine": (1e-2, 0.0)}))


def test_functions_survive_a_file(statistics: Statistics, tmp_path: Path) -> None:
    functions = fit_functions(statistics, SpikeConfig())
    path = tmp_path / "deep" / "functions.safetensors"
    functions.save(path)
    again = FittedFunctions.load(path)
    assert again.summary() == functions.summary()
    for name, neuron in functions.neurons.items():
        assert np.array_equal(neuron.offset, again.neurons[name].offset)
        assert np.array_equal(neuron.slope, again.neurons[name].slope)
        assert neuron.sides == again.neurons[name].sides


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_truncated_file_is_a_clear_error(
    statistics: Statistics, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "functions.safetensors"
    fit_functions(statistics, SpikeConfig()).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CalibrationError, match="fit again"):
        FittedFunctions.load(path)


def test_a_missing_file_and_one_of_another_kind_are_clear_errors(
    statistics: Statistics, tmp_path: Path
) -> None:
    with pytest.raises(CalibrationError, match="fit again"):
        FittedFunctions.load(tmp_path / "none.safetensors")
    other = tmp_path / "statistics.safetensors"
    statistics.save(other)
    with pytest.raises(CalibrationError, match="no las-functions-2 file"):
        FittedFunctions.load(other)

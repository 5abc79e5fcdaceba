from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from las.fitting.fit import Fit, evaluate, fit
from las.fitting.functions import FUNCTIONS, Budget
from las.neurons import code_hg

Array = NDArray[np.float64]

# Ranges as calibration finds them in language models.
RANGES = {
    "exp": (-20.0, 0.0),
    "reciprocal": (1.0, 8192.0),
    "inverse_sqrt": (1e-6, 1e7),
    "square": (-3e4, 3e4),
    **dict.fromkeys(
        ("gelu", "gelu_tanh", "silu", "quick_gelu", "tanh", "sigmoid", "relu", "relu_squared"),
        (-30.0, 200.0),
    ),
}

# The functions once more, from the definitions.
ERF = np.vectorize(math.erf)
TRUTH = {
    "exp": np.exp,
    "reciprocal": lambda x: 1 / x,
    "inverse_sqrt": lambda x: x**-0.5,
    "square": lambda x: x * x,
    "gelu": lambda x: x / 2 * (1 + ERF(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu_squared": lambda x: np.maximum(x, 0) ** 2,
}


@cache
def fitted(name: str, steps: int = 16) -> Fit:
    return fit(FUNCTIONS[name], *RANGES[name], steps)


def linear_grid(low: float, high: float, count: int = 200_003) -> Array:
    return low + (high - low) * (np.arange(count) + 0.37) / count


def decades(low: float, high: float, count: int = 200_003) -> Array:
    return np.exp(linear_grid(math.log(low), math.log(high), count))


def grid_of(name: str) -> Array:
    """Dense points of the whole range, the small magnitudes as densely as the large ones."""
    low, high = RANGES[name]
    if low > 0:
        return np.concatenate([decades(low, high), linear_grid(low, high)])
    reach = max(-low, high)
    sides = [sign * decades(1e-6, reach) for sign in (-1, 1)]
    x = np.concatenate([[0.0], *sides, linear_grid(low, high)])
    return x[(x >= low) & (x <= high)]


def error(one: Fit, x: Array) -> Array:
    return np.abs(evaluate(one.neuron, x)[0] - TRUTH[one.neuron.function](x))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_is_the_function_of_its_name(name: str) -> None:
    x = np.linspace(-5, 0, 101) if name == "exp" else np.linspace(0.1, 9, 101)
    values = FUNCTIONS[name].evaluate(torch.from_numpy(x)).numpy()
    assert np.allclose(values, TRUTH[name](x), rtol=1e-9)


class TestTargetsAtSixteenSteps:
    def test_exp_within_1e_4_on_minus_20_to_0(self) -> None:
        assert error(fitted("exp"), grid_of("exp")).max() <= 1e-4

    @pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu", "quick_gelu"])
    def test_activations_within_1e_3_and_1e_4_near_zero(self, name: str) -> None:
        assert error(fitted(name), grid_of(name)).max() <= 1e-3
        assert error(fitted(name), linear_grid(-3, 3)).max() <= 1e-4

    @pytest.mark.parametrize("name", ["tanh", "sigmoid"])
    def test_tanh_and_sigmoid_within_1e_4(self, name: str) -> None:
        assert error(fitted(name), grid_of(name)).max() <= 1e-4

    @pytest.mark.parametrize("name", ["reciprocal", "inverse_sqrt"])
    def test_reciprocals_within_1e_4_relative_over_all_decades(self, name: str) -> None:
        x = grid_of(name)
        assert (error(fitted(name), x) / TRUTH[name](x)).max() <= 1e-4

    def test_square_within_1e_4_relative_of_every_size_that_matters(self) -> None:
        x = grid_of("square")
        x = x[np.abs(x) >= 1e-2]
        assert (error(fitted("square"), x) / x**2).max() <= 1e-4


@pytest.mark.parametrize("steps", [8, 12, 16])
@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_budget_that_is_reported_as_met_is_met(name: str, steps: int) -> None:
    one = fitted(name, steps)
    x = grid_of(name)
    allowed = np.maximum(one.budget.absolute, one.budget.relative * np.abs(TRUTH[name](x)))
    excess = (error(one, x) / allowed).max()
    assert not one.met or excess <= 1 + 1e-6
    assert one.met or excess > 0.9  # nor is a fit called bad that is not


@pytest.mark.parametrize("name", sorted(RANGES))
def test_every_default_budget_is_met_at_sixteen_steps(name: str) -> None:
    assert fitted(name).met


@pytest.mark.parametrize("name", sorted(RANGES))
def test_the_reported_errors_are_those_of_an_independent_dense_grid(name: str) -> None:
    one = fitted(name)
    errors = error(one, grid_of(name))
    assert errors.max() <= 1.1 * one.max_error
    assert one.mean_error <= one.max_error


@pytest.mark.parametrize("steps", [4, 8, 16])
def test_the_reported_mean_spikes_are_those_of_random_inputs(steps: int) -> None:
    """The first step always fires, each of the others on half of the inputs."""
    one = fitted("silu", steps)
    assert one.mean_spikes == pytest.approx(1 + (steps - 1) / 2, rel=0.03)
    x = np.random.default_rng(0).uniform(0.1, 100, 20_000)
    assert evaluate(one.neuron, x)[1].mean() == pytest.approx(one.mean_spikes, rel=0.03)


@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh", "quick_gelu"])
def test_beyond_the_range_an_activation_follows_its_asymptote(name: str) -> None:
    """0 and x; a clamp at 200 would be 90 % off at 2000."""
    one = fitted(name)
    x = linear_grid(200, 2000)
    assert (error(one, x) / x).max() <= 1e-5
    assert error(one, linear_grid(-300, -30)).max() <= 1e-5


def test_beyond_the_range_the_square_and_the_reciprocals_go_on() -> None:
    for name, x in (
        ("square", linear_grid(3e4, 3e5)),
        ("reciprocal", linear_grid(8192, 81920)),
        ("inverse_sqrt", decades(1e7, 1e8)),
    ):
        assert (error(fitted(name), x) / TRUTH[name](x)).max() <= 1e-3


def test_beyond_the_range_exp_goes_to_zero_instead_of_dropping_to_it() -> None:
    """Calibrated on scores that hardly differ: exp(-2) would still be 0.13."""
    one = fit(FUNCTIONS["exp"], -1, 0, 16)
    assert error(one, linear_grid(-40, -1)).max() <= 1e-4
    assert error(fitted("exp"), linear_grid(-500, -20)).max() <= 1e-4


def test_what_lies_beyond_the_range_is_counted() -> None:
    x = torch.tensor([-31.0, -30.0, 0.0, 200.0, 201.0, 2000.0], dtype=torch.float64)
    assert code_hg(x, fitted("silu").neuron, count=True).out_of_range == 3


def test_masked_scores_are_silent_and_the_largest_score_gives_one() -> None:
    neuron = fitted("exp").neuron
    coded = code_hg(torch.tensor([-torch.inf, -1e4, 0.0]), neuron, count=True)
    assert coded.counts is not None
    assert coded.counts[:2].tolist() == [0, 0]
    assert coded.value[:2].tolist() == [0, 0]
    assert coded.value[2].item() == pytest.approx(1, abs=1e-4)
    assert coded.out_of_range == 1


def test_relu_is_zero_below_zero() -> None:
    x = np.linspace(-30, -1e-3, 500)
    assert np.abs(evaluate(fitted("relu").neuron, x)[0]).max() <= 1e-9


@pytest.mark.parametrize("name", ["gelu", "inverse_sqrt"])
def test_fits_are_deterministic(name: str) -> None:
    first, second = fitted(name), fit(FUNCTIONS[name], *RANGES[name], 16)
    assert (first.neuron.negative, first.neuron.positive) == (
        second.neuron.negative,
        second.neuron.positive,
    )
    assert np.array_equal(first.neuron.offset, second.neuron.offset)
    assert np.array_equal(first.neuron.slope, second.neuron.slope)
    assert (first.met, first.max_error) == (second.met, second.max_error)


def test_a_looser_budget_needs_fewer_sub_neurons() -> None:
    sizes = [
        fit(FUNCTIONS["gelu"], -10, 10, 16, Budget(absolute, 0)).neuron.size
        for absolute in (1e-5, 1e-4, 1e-3, 1e-2)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 8


def test_fewer_time_steps_need_more_sub_neurons() -> None:
    sizes = [
        fit(FUNCTIONS["silu"], -10, 10, steps, Budget(1e-3, 0)).neuron.size
        for steps in (16, 10, 8, 6)
    ]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


@pytest.mark.parametrize("budget", [(1e9, 0), (0, 1e9), (1e300, 1e308), (10.0, 0.0)])
@pytest.mark.parametrize("name", ["exp", "reciprocal", "inverse_sqrt", "square", "gelu", "relu"])
def test_any_budget_however_loose_gives_a_neuron_that_is_measured(
    name: str, budget: tuple[float, float]
) -> None:
    """Even if its sub-ranges are so wide that the whole range lies within the first of them."""
    low, high = {"exp": (-9.0, 0.0), "square": (-3.0, 8.0)}.get(name, (0.5, 8.0))
    one = fit(FUNCTIONS[name], low, high, 10, Budget(*budget))
    x = linear_grid(low, high, 2003)
    found = error(one, x).max()
    assert 0.7 * found <= one.max_error <= 1.5 * found
    if budget[0]:
        assert one.met


def test_a_budget_out_of_reach_is_said_to_be() -> None:
    one = fit(FUNCTIONS["gelu"], -10, 10, 2, Budget(1e-6, 0))
    assert not one.met
    assert one.max_error > 1e-6


@pytest.mark.parametrize("steps", [1, 2, 32])
def test_any_number_of_steps_gives_a_neuron(steps: int) -> None:
    one = fit(FUNCTIONS["sigmoid"], -8, 8, steps, Budget(1e-2, 0))
    assert one.met
    assert error(one, linear_grid(-8, 8)).max() <= 1e-2


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("gelu", 1.0, 1.0),
        ("gelu", 2.0, 1.0),
        ("gelu", float("nan"), 1.0),
        ("gelu", 0.0, float("inf")),
        ("reciprocal", 0.0, 1.0),
        ("inverse_sqrt", -1.0, 1.0),
        ("exp", -1.0, 0.5),
    ],
)
def test_impossible_ranges_are_refused(name: str, low: float, high: float) -> None:
    with pytest.raises(ValueError, match=name):
        fit(FUNCTIONS[name], low, high, 16)


@pytest.mark.parametrize("steps", [0, 33])
def test_impossible_time_steps_are_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="time_steps"):
        fit(FUNCTIONS["gelu"], -1, 1, steps)

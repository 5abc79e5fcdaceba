"""How a budget is spent: which choices of thresholds are tried, and which one is taken."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

import las
from las.calibration import Statistics, Thresholds
from las.calibration.budget import Allotted
from las.conversion import frugal
from las.conversion.report import Spent
from las.conversion.state import SpikingState
from las.fitting.model_functions import FittedFunctions

BUDGET = 1e-3
Spend = Callable[[Callable[[float], float]], tuple[Spent, list[float]]]


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Spend:
    """Spend a budget on a model whose loss is a function of the loss that is allowed."""
    config = las.SpikeConfig(budget=BUDGET)
    state = SpikingState(config, "base", "llama", Thresholds({}), {}, {})
    tried: list[float] = []

    def allot(*given: Any) -> Allotted:
        tried.append(given[-1])
        return Allotted(Thresholds({}), given[-1], {})

    monkeypatch.setattr(frugal, "choices", lambda *given: {})
    monkeypatch.setattr(frugal, "allot", allot)
    monkeypatch.setattr(frugal, "assemble", lambda *given: state)
    monkeypatch.setattr(frugal, "apply", lambda *given: None)

    def spent(loss: Callable[[float], float]) -> tuple[Spent, list[float]]:
        weighed: Any = SimpleNamespace(
            sensitivity=None,
            loss=lambda model: loss(tried[-1]),
            predicted=lambda model, allotted, shared: allotted.scattered,
        )
        statistics, functions = Statistics("base", "llama"), FittedFunctions({})
        found = frugal.spike_within_budget(nn.Module(), statistics, functions, weighed, config)
        assert found.spent is not None
        return found.spent, tried

    return spent


@pytest.mark.parametrize("factor", [0.3, 0.8, 1.2, 3.0])
def test_a_loss_in_proportion_takes_two_attempts(spend: Spend, factor: float) -> None:
    spent, tried = spend(lambda allowed: factor * allowed)
    assert len(tried) == 2
    assert 0.85 * BUDGET <= spent.measured <= BUDGET
    assert spent.predicted == tried[1]


def test_a_loss_that_is_close_takes_one(spend: Spend) -> None:
    spent, tried = spend(lambda allowed: 0.9 * allowed)
    assert tried == [BUDGET]
    assert spent == Spent(BUDGET, BUDGET, 0.9 * BUDGET)


def test_nothing_is_lost_and_the_prediction_comes_to_four_times_the_budget_at_most(
    spend: Spend,
) -> None:
    """Of two that lose as little the one is taken that spikes less."""
    spent, tried = spend(lambda allowed: 0.0)
    assert tried == [BUDGET, 4 * BUDGET]
    assert spent.predicted == 4 * BUDGET


def test_what_does_not_come_down_is_tried_eight_times_and_told(spend: Spend) -> None:
    with pytest.warns(UserWarning, match=r"loses 0\.00101, where the budget is 0\.001:"):
        spent, tried = spend(lambda allowed: 1.01 * BUDGET)
    assert len(tried) == 8
    assert spent.measured > BUDGET


def test_a_choice_within_the_budget_is_taken_though_others_are_nearer(spend: Spend) -> None:
    losses = iter([1.01, 0.2, 1.02, 0.3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spent, tried = spend(lambda allowed: next(losses) * BUDGET)
    assert len(tried) == 4
    assert spent.measured == 0.3 * BUDGET


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_told_at_once(spend: Spend, loss: float) -> None:
    with pytest.warns(UserWarning, match=f"loses {loss}, where the budget is 0.001"):
        _, tried = spend(lambda allowed: loss)
    assert tried == [BUDGET]


@pytest.mark.parametrize(("sensed", "other", "counts"), [(1.0, 1.1, 1.1), (5.0, 1.1, 2.5)])
def test_the_rows_that_told_what_errors_cost_may_lose_twice_as_much(
    sensed: float, other: float, counts: float
) -> None:
    def of(loss: float) -> Any:
        return SimpleNamespace(loss=lambda model: loss)

    nothing: Any = None
    assert frugal.Weighed(nothing, of(sensed), of(other)).loss(nn.Module()) == counts

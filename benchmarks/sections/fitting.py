"""Seconds to choose all thresholds and to fit all functions of a model from its statistics."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quiet import quiet
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave, timed
from benchmarks.sections import ENCODER, LANGUAGE_MODEL
from benchmarks.settings import Settings
from las import SpikeConfig
from las.calibration import Statistics, choose_thresholds
from las.fitting import fit_functions


def measure(settings: Settings, models: Sequence[str] = (LANGUAGE_MODEL, ENCODER)) -> list[Case]:
    """Time both; the first call counts too, for who converts one model waits for that one."""
    return [_measure(settings, model) for model in models]


def _measure(settings: Settings, model: str) -> Case:
    statistics = Statistics.load(settings.statistics(model))
    config = SpikeConfig()

    def fit() -> None:
        with quiet():
            fit_functions(statistics, config)

    def choose() -> None:
        with quiet():
            choose_thresholds(statistics, config)

    variants = {"functions": timed(fit), "thresholds": timed(choose)}
    series = interleave(variants, settings, model, warm_up=False)
    comparisons = tuple(Comparison(which, which) for which in variants)
    return Case(model, series, comparisons)

"""Measuring several variants in turn: round by round, so that each ratio is of neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from tqdm.auto import tqdm

from benchmarks.settings import Settings

FEWEST = 3
"""Rounds that every case gets, however long they take."""

Value = TypeVar("Value")


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """What measures the wall time of an action when called."""
    return lambda: seconds(action)


def interleave(
    variants: Mapping[str, Callable[[], Value]],
    settings: Settings,
    name: str,
    *,
    warm_up: bool = True,
    fewest: int = FEWEST,
) -> dict[str, list[Value]]:
    """Measure every variant once in each of several rounds.

    Arguments:
        variants: what takes one measurement, by name, in the order of a round.
        settings: how many rounds, and the time after which no other begins.
        name: what the progress bar says.
        warm_up: whether the first round is thrown away.
        fewest: rounds that are measured whatever the time.

    Returns:
        The measurements of each variant, one for each round.
    """
    fewest = min(fewest, settings.repeats)
    series: dict[str, list[Value]] = {variant: [] for variant in variants}
    total = (settings.repeats + warm_up) * len(variants)
    with torch.no_grad(), tqdm(total=total, desc=name, unit="run", leave=False) as bar:
        if warm_up:
            for measure in variants.values():
                measure()
                bar.update()
        start = time.perf_counter()
        for done in range(settings.repeats):
            if done >= fewest and time.perf_counter() - start > settings.limit:
                break
            for variant, measure in variants.items():
                series[variant].append(measure())
                bar.update()
    return series

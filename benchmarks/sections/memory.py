"""Peak memory of processes that each load one of the two models and run it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from benchmarks.children import run_child
from benchmarks.environment import MALLOC
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings

CASES = ((512, True), (512, False), (2048, True))
"""Tokens, and whether malloc keeps what is freed as in the rest of the suite."""

FEWEST = 2
"""Rounds; memory hardly varies, and each round loads both models anew."""


def measure(
    settings: Settings, cases: Sequence[tuple[int, bool]] = CASES, model: str = LANGUAGE_MODEL
) -> list[Case]:
    """Take the peak of the whole process, and of the passes over what is resident before them.

    With the suite's malloc settings, what a process frees stays resident and in pieces, so that
    the peak is above what is in use; with malloc left alone, large tensors come and go.
    """
    if sys.platform != "linux":
        return [Case("peak memory", unmeasured="unmeasured: it is read from Linux's /proc")]
    _process(settings, model, cases[0][0], spiking=True, malloc=True)()  # compiles the kernels
    return [_measure(settings, model, length, malloc) for length, malloc in cases]


def _measure(settings: Settings, model: str, length: int, malloc: bool) -> Case:
    name = f"1 x {length}" if malloc else f"1 x {length}, malloc left alone"
    variants = {
        which: _process(settings, model, length, spiking=which == "snn", malloc=malloc)
        for which in ("ann", "snn")
    }
    taken = interleave(variants, settings, name, warm_up=False, fewest=FEWEST)
    series = {
        f"{which}, {part}": [one[part] for one in of_it]
        for which, of_it in taken.items()
        for part in of_it[0]
    }
    comparisons = tuple(
        Comparison(f"SNN / ANN, {meaning}", f"snn, {part}", f"ann, {part}")
        for part, meaning in (("peak", "whole process"), ("over", "over the loaded model"))
    )
    return Case(name, series, comparisons, "MiB", {"length": length})


def _process(
    settings: Settings, model: str, length: int, spiking: bool, malloc: bool
) -> Callable[[], dict[str, float]]:
    """What measures one process when called; `malloc` is whether it keeps what it frees."""
    arguments = {
        "settings": settings.to_json(),
        "model": model,
        "length": length,
        "spiking": spiking,
    }

    def measure_process() -> dict[str, float]:
        found = run_child("peak_memory", arguments, without=() if malloc else MALLOC)
        peak = max(found["loading"], found["running"])
        return {**found, "peak": peak, "over": found["running"] - found["loaded"]}

    return measure_process

"""Peak memory of processes that each load one of the two models and run it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.children import run_child
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings


def measure(
    settings: Settings, lengths: Sequence[int] = (512, 2048), model: str = LANGUAGE_MODEL
) -> list[Case]:
    """Take the peak of the whole process, and of the passes over what is resident before them."""
    if sys.platform != "linux":
        return [Case("peak memory", unmeasured="unmeasured: it is read from Linux's /proc")]
    cases = []
    for length in lengths:
        name = f"1 x {length}"
        variants = {
            "ann": _child(settings, model, length, spiking=False),
            "snn": _child(settings, model, length, spiking=True),
        }
        # the first processes compile what later ones find in the kernels' cache
        series = interleave(variants, settings, name, warm_up=length == lengths[0])
        for part, meaning in (("peak", "whole process"), ("over", "over the resident model")):
            values = {which: [one[part] for one in taken] for which, taken in series.items()}
            comparison = Comparison(f"SNN / ANN, {meaning}", "snn", "ann")
            cases.append(Case(name, values, (comparison,), "MiB", {"length": length}))
    return cases


def _child(
    settings: Settings, model: str, length: int, spiking: bool
) -> Callable[[], dict[str, Any]]:
    arguments = {
        "settings": settings.to_json(),
        "model": model,
        "batch": 1,
        "length": length,
        "spiking": spiking,
    }
    return lambda: run_child("peak_memory", arguments)

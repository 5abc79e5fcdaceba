"""What compiling the kernels adds to the first passes of a process, and what finding them does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from benchmarks.children import run_child
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings


def measure(settings: Settings, length: int = 512, model: str = LANGUAGE_MODEL) -> list[Case]:
    """Time first passes, less second ones, with an empty cache and with the one they leave."""
    arguments = {"settings": settings.to_json(), "model": model, "length": length}

    def added_in(cache: str) -> float:
        taken = run_child("first_calls", arguments, {"NUMBA_CACHE_DIR": cache})
        return taken["first"] - taken["second"]

    series: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        variants: dict[str, Callable[[], float]] = {
            "empty cache": lambda: added_in(cache),
            "filled cache": lambda: added_in(cache),
        }
        # the cache is empty only once
        once = settings.with_repeats(1)
        series = interleave(variants, once, "compile", warm_up=False)
    comparisons = [Comparison(which, which) for which in series]
    return [Case("all kernels of a language model", series, comparisons)]

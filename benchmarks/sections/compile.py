"""What compiling the kernels adds to the first passes of a process, and what finding them does."""

from __future__ import annotations

import tempfile

from benchmarks.children import run_child
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings


def measure(settings: Settings, length: int = 512, model: str = LANGUAGE_MODEL) -> list[Case]:
    """Time first passes, less second ones, with an empty cache and with the one they leave."""
    arguments = {"settings": settings.to_json(), "model": model, "length": length}

    def added_with(cache: str) -> float:
        taken = run_child("first_calls", arguments, {"NUMBA_CACHE_DIR": cache})
        return taken["first"] - taken["second"]

    with tempfile.TemporaryDirectory() as scratch:
        caches: list[str] = []

        def compiling() -> float:
            caches.append(tempfile.mkdtemp(dir=scratch))
            return added_with(caches[-1])

        variants = {
            "empty cache": compiling,
            "filled cache": lambda: added_with(caches[-1]),
        }
        series = interleave(variants, settings, "compile", warm_up=False, fewest=1)
    comparisons = tuple(Comparison(which, which) for which in series)
    return [Case("all kernels of a language model", series, comparisons)]

"""The step simulator, spikes explicit over T, on one short text."""

from __future__ import annotations

import las
from benchmarks.models import load_original, load_spiking, random_tokens
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave, timed
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings


def measure(settings: Settings, length: int = 64, model: str = LANGUAGE_MODEL) -> list[Case]:
    """Time a pass inside `las.simulate`."""
    ann, snn = load_original(settings, model), load_spiking(settings, model)
    ids = random_tokens(ann, 1, length)

    def simulate() -> None:
        with las.simulate(snn):
            snn(input_ids=ids, use_cache=False)

    variants = {
        "ann": timed(lambda: ann(input_ids=ids, use_cache=False)),
        "simulator": timed(simulate),
    }
    name = f"1 x {length}"
    series = interleave(variants, settings, name)
    comparison = Comparison("simulator / ANN", "simulator", "ann")
    return [Case(name, series, (comparison,), tokens=length)]

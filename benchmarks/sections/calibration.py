"""One pass of calibration against plain forward passes over the same batches."""

from __future__ import annotations

from benchmarks.models import load_original, random_tokens
from benchmarks.quiet import quiet
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave, timed
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings
from las.calibration import collect
from las.conversion import prepare
from las.hosts.twin import twin


def measure(
    settings: Settings, batches: int = 8, length: int = 512, model: str = LANGUAGE_MODEL
) -> list[Case]:
    """Time `collect`, the model's fingerprint and the search for shared sites included."""
    ann = load_original(settings, model)
    prepared = prepare(twin(ann))
    data = [{"input_ids": random_tokens(ann, 1, length, seed)} for seed in range(batches)]

    def run() -> None:
        for batch in data:
            ann(**batch)

    def calibrate() -> None:
        with quiet():
            collect(prepared, data)

    name = f"{batches} batches of 1 x {length}"
    variants = {"ann": timed(run), "calibration": timed(calibrate)}
    series = interleave(variants, settings, name)
    comparison = Comparison("calibration / ANN", "calibration", "ann")
    return [Case(name, series, (comparison,), tokens=batches * length)]

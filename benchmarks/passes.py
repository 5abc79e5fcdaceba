"""Forward passes of an original and of its spiking model, in turn, on the same input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import las
from benchmarks.rounds import interleave, timed
from benchmarks.settings import Settings


def compare_passes(
    ann: Any,
    snn: Any,
    inputs: Mapping[str, Any],
    settings: Settings,
    name: str,
    finish: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """Time the original, the spiking model, and the spiking model with every spike counted.

    Arguments:
        ann: the original.
        snn: the spiking model.
        inputs: forward keyword arguments of both.
        settings: how to measure.
        name: what the progress bar says.
        finish: waits for an accelerator at the end of each pass.

    Returns:
        Seconds of each pass: `ann`, `snn` and `counting`.
    """

    def run(model: Any) -> None:
        model(**inputs)
        if finish is not None:
            finish()

    def count() -> None:
        with las.count_spikes(snn):
            run(snn)

    variants = {
        "ann": timed(lambda: run(ann)),
        "snn": timed(lambda: run(snn)),
        "counting": timed(count),
    }
    return interleave(variants, settings, name)

"""Where the time of a spiking forward pass goes, part by part, beside the original's whole pass."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import las
from benchmarks.models import load_original, load_spiking, random_tokens
from benchmarks.records import Case, Comparison
from benchmarks.rounds import interleave, timed
from benchmarks.sections import ENCODER, LANGUAGE_MODEL
from benchmarks.settings import Settings

PARTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "linear layers": (("~", "torch._C._nn.linear"),),
    "products of attention": (
        ("attention.py", "fused"),  # its operators @ have no frame of their own
        ("~", "scaled_dot_product_attention"),
    ),
    "softmax neurons": (("kernels.py", "_attend"),),
    "norm neurons": (("kernels.py", "_normalise"),),
    "gate neurons": (("kernels.py", "_gate"),),
    "activation neurons": (("kernels.py", "_code_hg"),),
    "neurons of linear layers, queries, keys and values": (("kernels.py", "_code_oat"),),
}
"""Parts of a pass, as the ends of file and function names whose own time belongs to them."""

REST = "everything else"

CASES = ((LANGUAGE_MODEL, 1, 512), (LANGUAGE_MODEL, 1, 2048), (ENCODER, 32, 128))
"""Model, sequences, and tokens of each."""


def measure(settings: Settings, cases: Sequence[tuple[str, int, int]] = CASES) -> list[Case]:
    """Take the profile of passes, in turn with the passes of the original."""
    return [_measure(settings, *case, count=count) for case in cases for count in (False, True)]


def _measure(settings: Settings, model: str, batch: int, length: int, count: bool) -> Case:
    ann, snn = load_original(settings, model), load_spiking(settings, model)
    inputs: dict[str, Any] = {"input_ids": random_tokens(ann, batch, length)}
    if model == LANGUAGE_MODEL:
        inputs["use_cache"] = False

    def run() -> None:
        if count:
            with las.count_spikes(snn):
                snn(**inputs)
        else:
            snn(**inputs)

    name = f"{model}, {batch} x {length}" + (", counting" if count else "")
    variants = {"ann": timed(lambda: ann(**inputs)), "snn": lambda: profile(run)}
    taken = interleave(variants, settings, name)
    series = {part: [one[part] for one in taken["snn"]] for part in (*PARTS, REST)}
    shown = [part for part in series if max(series[part]) > 0]
    comparisons = tuple(Comparison(f"{part} / ANN", part, "ann") for part in shown)
    return Case(name, {"ann": taken["ann"], **series}, comparisons)


def profile(run: Callable[[], None]) -> dict[str, float]:
    """Seconds that each part of `PARTS`, and the rest, takes of one call."""
    profiler = cProfile.Profile()
    profiler.runcall(run)
    own = {part: 0.0 for part in (*PARTS, REST)}
    for (file, _, function), (_, _, seconds, _, _) in pstats.Stats(profiler).stats.items():
        own[_part(Path(file).name, function)] += seconds
    return own


def _part(file: str, function: str) -> str:
    for part, places in PARTS.items():
        if any(file == where and function.strip("{}>").endswith(end) for where, end in places):
            return part
    return REST

"""The forward pass of a language model, with all logits and without a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.models import load_original, load_spiking, random_tokens
from benchmarks.passes import compare_passes
from benchmarks.records import COUNTING, SNN, Case
from benchmarks.rounds import FEWEST
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.settings import Settings

SHAPES = ((1, 128), (1, 512), (1, 2048), (8, 128), (8, 512), (8, 2048))
"""Sequences and tokens of each; a sequence alone comes before several of its length."""

PATIENCE = 8
"""A case is left out if its fewest rounds would take as many times the limit."""


def measure(
    settings: Settings, shapes: Sequence[tuple[int, int]] = SHAPES, model: str = LANGUAGE_MODEL
) -> list[Case]:
    """Time passes of all shapes, and one that asks for the logits of the last token only."""
    ann, snn = load_original(settings, model), load_spiking(settings, model)
    fewest = min(FEWEST, settings.repeats)
    cases: list[Case] = []
    round_of_one: dict[int, float] = {}
    for batch, length in shapes:
        expected = batch * round_of_one.get(length, 0.0)
        if (1 + fewest) * expected > PATIENCE * settings.limit:
            cases.append(_left_out(ann, batch, length, expected))
            continue
        case = _compare(ann, snn, batch, length, settings)
        if batch == 1:
            round_of_one[length] = sum(min(values) for values in case.series.values())
        cases.append(case)
    _, length = shapes[1]
    cases.append(_compare(ann, snn, 1, length, settings, last_logits_only=True))
    return cases


def _compare(
    ann: Any,
    snn: Any,
    batch: int,
    length: int,
    settings: Settings,
    last_logits_only: bool = False,
) -> Case:
    name = f"{batch} x {length}"
    inputs: dict[str, Any] = {
        "input_ids": random_tokens(ann, batch, length),
        "use_cache": False,
    }
    if last_logits_only:
        name += ", last logits only"
        inputs["logits_to_keep"] = 1
    return Case(
        name,
        compare_passes(ann, snn, inputs, settings, name),
        (SNN, COUNTING),
        parameters={"batch": batch, "length": length},
        tokens=batch * length,
    )


def _left_out(ann: Any, batch: int, length: int, expected: float) -> Case:
    gigabytes = batch * length * ann.config.vocab_size * 4 / 1e9
    return Case(
        f"{batch} x {length}",
        unmeasured=f"unmeasured: by 1 x {length}, one round would take {expected:.0f} s "
        f"(its logits are {gigabytes:.1f} GB); a larger --limit measures it",
    )

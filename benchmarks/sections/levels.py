"""Cost as a function of the levels H, at T = 16."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records import Case
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.sections.sweep import sweep
from benchmarks.settings import Settings
from las import SpikeConfig


def measure(
    settings: Settings,
    values: Sequence[int] = (1, 3, 5, 8, 15),
    length: int = 512,
    model: str = LANGUAGE_MODEL,
) -> list[Case]:
    """Time one pass for each H."""
    configs = {value: SpikeConfig(time_steps=16, levels=value) for value in values}
    return sweep(settings, model, length, "H", "levels", configs)

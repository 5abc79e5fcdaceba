"""Cost as a function of the time steps T, at H = 5."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records import Case
from benchmarks.sections import LANGUAGE_MODEL
from benchmarks.sections.sweep import sweep
from benchmarks.settings import Settings
from las import SpikeConfig


def measure(
    settings: Settings,
    values: Sequence[int] = (8, 12, 16, 20, 24, 32),
    length: int = 512,
    model: str = LANGUAGE_MODEL,
) -> list[Case]:
    """Time one pass for each T."""
    configs = {value: SpikeConfig(time_steps=value, levels=5) for value in values}
    return sweep(settings, model, length, "T", "time_steps", configs)

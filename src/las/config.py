"""The options of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

ThresholdRule = Literal["error", "paper", "released"]
Vision = Literal["spiking", "analog"]
Rounding = Literal["nearest", "half_step", "floor"]

MAX_TIME_STEPS = 32
MAX_LEVELS = 16


def check_steps(time_steps: int, levels: int, rounding: str) -> None:
    """Raise ValueError unless 1 <= T <= 32, 1 <= H <= 16 and the rounding is known."""
    if not 1 <= time_steps <= MAX_TIME_STEPS:
        raise ValueError(f"time_steps (T) must be 1 to {MAX_TIME_STEPS}, got {time_steps}")
    if not 1 <= levels <= MAX_LEVELS:
        raise ValueError(f"levels (H) must be 1 to {MAX_LEVELS}, got {levels}")
    if rounding not in get_args(Rounding):
        raise ValueError(f"rounding must be one of {get_args(Rounding)}, got {rounding!r}")


@dataclass(frozen=True)
class SpikeConfig:
    """How a model is to spike.

    Attributes:
        time_steps: T, 1 to 32.
        levels: H, 1 to 16.
        bands: MT sub-neurons of each OAT neuron: 2 in the paper; 1 is a single MT neuron.
        rounding: "nearest", "half_step" or "floor" (Eq. 7), see `las.neurons.MT`.
        threshold_rule: "error" minimises the squared error that the consumer of each site sees;
            "paper" sets theta_nor and theta_out as the paper describes them, with the 99th
            percentile and 1.1 times the maximum where it names no rule; "released" takes the
            magnitudes of the literals in the paper's released code. Both know two bands only.
        margin: the largest representable value over the largest one seen in calibration.
        budgets: error budgets [absolute, relative] of HG functions, where the defaults of
            `las.fitting.functions` do not suit.
        vision: whether the vision tower of a vision-language model spikes; "analog" leaves it as
            it is, as the paper leaves LLaVA's. Models without one do not care.

    Raises:
        ValueError: an option out of range.
    """

    time_steps: int = 16
    levels: int = 5
    bands: int = 2
    rounding: Rounding = "nearest"
    threshold_rule: ThresholdRule = "error"
    margin: float = 2.0
    budgets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    vision: Vision = "spiking"

    def __post_init__(self) -> None:
        check_steps(self.time_steps, self.levels, self.rounding)
        if not 1 <= self.bands <= 8:
            raise ValueError(f"bands must be 1 to 8, got {self.bands}")
        if self.threshold_rule not in get_args(ThresholdRule):
            raise ValueError(
                f"threshold_rule must be one of {get_args(ThresholdRule)}, "
                f"got {self.threshold_rule!r}"
            )
        if self.vision not in get_args(Vision):
            raise ValueError(f"vision must be one of {get_args(Vision)}, got {self.vision!r}")
        if self.threshold_rule != "error" and self.bands != 2:
            raise ValueError(
                f"threshold_rule {self.threshold_rule!r} knows 2 bands, got {self.bands}"
            )
        if not self.margin >= 1:
            raise ValueError(f"margin must be at least 1, got {self.margin}")

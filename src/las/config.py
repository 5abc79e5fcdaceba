"""The options of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from las.options import finite_number, instance_of, one_of, shown, whole_number

ThresholdRule = Literal["error", "paper", "released"]
Vision = Literal["spiking", "analog"]
Rounding = Literal["nearest", "half_step", "floor"]

MAX_TIME_STEPS = 32
MAX_LEVELS = 16
MAX_BANDS = 8


def check_steps(time_steps: int, levels: int, rounding: str) -> None:
    """Raise ValueError unless 1 <= T <= 32, 1 <= H <= 16 and the rounding is known."""
    whole_number("time_steps (T)", time_steps, 1, MAX_TIME_STEPS)
    whole_number("levels (H)", levels, 1, MAX_LEVELS)
    one_of("rounding", rounding, Rounding)


@dataclass(frozen=True)
class SpikeConfig:
    """How a model is to spike.

    Numbers may be those of NumPy or torch, and mappings those of OmegaConf.

    Attributes:
        time_steps: T, 1 to 32.
        levels: H, 1 to 16.
        bands: MT sub-neurons of each OAT neuron, 1 to 8: 2 in the paper; 1 is a single MT neuron.
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
        ValueError: an option of another kind, or out of range.
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
        plain = {
            "time_steps": whole_number("time_steps (T)", self.time_steps, 1, MAX_TIME_STEPS),
            "levels": whole_number("levels (H)", self.levels, 1, MAX_LEVELS),
            "bands": whole_number("bands", self.bands, 1, MAX_BANDS),
            "rounding": one_of("rounding", self.rounding, Rounding),
            "threshold_rule": one_of("threshold_rule", self.threshold_rule, ThresholdRule),
            "margin": finite_number("margin", self.margin, 1),
            "budgets": _budgets(self.budgets),
            "vision": one_of("vision", self.vision, Vision),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if self.threshold_rule != "error" and self.bands != 2:
            raise ValueError(
                f"threshold_rule {self.threshold_rule!r} knows 2 bands, got {self.bands}"
            )


def config_or_default(given: SpikeConfig | None) -> SpikeConfig:
    """The config that was given, or the defaults for None.

    Raises:
        ValueError: it is something else.
    """
    if given is None:
        return SpikeConfig()
    return instance_of("config", given, SpikeConfig, "las.SpikeConfig(**options) makes one")


def _budgets(given: Any) -> dict[str, tuple[float, float]]:
    """Budgets in plain Python.

    Raises:
        ValueError: they are of another form.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"budgets must map functions to [absolute, relative], got {shown(given)}")
    budgets = {}
    for name, pair in given.items():
        try:
            absolute, relative = pair
        except (TypeError, ValueError):
            raise ValueError(
                f"budgets[{name!r}] must be [absolute, relative], got {shown(pair)}"
            ) from None
        both = f"both numbers of budgets[{name!r}]"
        budgets[str(name)] = finite_number(both, absolute, 0), finite_number(both, relative, 0)
    return budgets

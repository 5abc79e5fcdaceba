"""The Multi-Threshold neuron (Eqs. 5-7): signed multi-level spikes, coarse to fine.

The membrane potential is kept in units of delta = theta(T) / H, the distance between two
neighbouring levels at the last time step. In that unit every threshold of Eq. 7 is an integer,

    (H + k) / H * theta(t)  =  (H + k) * 2^(T - t),        k = 0 .. H - 1,

so that each subtraction of Eq. 5 is exact in floating point and the step simulator and the
fused path take the same decisions, spike for spike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from las.config import Rounding, check_steps


@dataclass(frozen=True)
class MT:
    """Parameters of one Multi-Threshold neuron.

    Attributes:
        tau: base threshold; theta(t) = tau * 2^-t.
        time_steps: T, 1 to 32.
        levels: H, 1 to 16: a step fires one of (1 + k/H) theta(t), k < H.
        rounding: "floor" fires the largest level not above |v| (Eq. 7). "half_step" adds
            theta(T)/2 to |v(1)| first. "nearest" lowers the thresholds of step t by half of the
            finest difference that later steps could still make up, min(theta(t)/H, theta(T))/2,
            and ends with the nearest level: unbiased, and the smallest error of the three.
            "signed" fires the level of either sign that is nearest to v, so that what is left has
            either sign too (Eq. 7 has negative levels): one more bit a spike. A rest below the
            smallest level, but for half the distance to one of a further step, costs no spike.

    Raises:
        ValueError: T, H, rounding or tau out of range.
    """

    tau: float
    time_steps: int = 16
    levels: int = 5
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        check_steps(self.time_steps, self.levels, self.rounding)
        if not 0 < self.tau < float("inf"):
            raise ValueError(f"tau must be positive and finite, got {self.tau}")

    @property
    def delta(self) -> float:
        """theta(T) / H, the unit of the membrane potential."""
        return self.tau * 2.0**-self.time_steps / self.levels

    @property
    def largest(self) -> float:
        """The largest representable value: the top level fired at each of the T steps."""
        return (2 - 1 / self.levels) * (1 - 2.0**-self.time_steps) * self.tau


class StepThresholds(NamedTuple):
    """What step t compares the membrane with, in units of delta.

    A step fires floor((v + raise_by) / spacing) * spacing, capped at the top level, if
    v >= silent_below, and nothing otherwise; "signed" neurons do so with |v| and its sign.
    """

    spacing: float
    raise_by: float
    silent_below: float


def wide(x: Tensor) -> Tensor:
    """Neuron arithmetic is float32 at least, whatever the dtype of the weights."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def initial_raise(levels: int, rounding: Rounding) -> float:
    """What is added to |v(1)|: theta(T)/2 for "half_step", in units of delta."""
    return levels / 2 if rounding == "half_step" else 0.0


def within_grid(v: Tensor, rounding: Rounding) -> Tensor:
    """Cut |v(1)| to the grid of the thresholds, on which every sum of Eq. 5 is exact.

    All thresholds but those of "signed" are multiples of delta / 2, so that what lies between two
    of these decides nothing.
    """
    return v if rounding == "signed" else torch.floor(2 * v) / 2


def thresholds_at(t: int, time_steps: int, levels: int, rounding: Rounding) -> StepThresholds:
    """Thresholds of time step t = 1 .. T (Eq. 7; lowered for "nearest" and "signed")."""
    spacing = 2.0 ** (time_steps - t)  # theta(t) / H
    if rounding == "signed":
        # half-way between the lowest level of this step, H, and the top level of the next, H - 1/2
        return StepThresholds(spacing, spacing / 2, (levels - 1 / 4) * spacing)
    if rounding != "nearest":
        return StepThresholds(spacing, 0.0, levels * spacing)
    lowered = min(spacing, levels) / 2
    if t == time_steps:
        return StepThresholds(spacing, lowered, levels / 2)
    return StepThresholds(spacing, lowered, levels * spacing - lowered)


def step(v: Tensor, t: int, neuron: MT) -> tuple[Tensor, Tensor]:
    """One time step of Eqs. 5-7.

    Arguments:
        v: membrane potential in units of delta, non-negative at t = 1, any shape.
        t: time step, 1 to T.
        neuron: its parameters; tau does not matter here.

    Returns:
        level: 0 for silence, else H + k, the same shape and dtype as v; negative for a spike
            that is negative, as those of "signed" may be.
        v: the membrane potential after the reset.
    """
    spacing, raise_by, silent_below = thresholds_at(
        t, neuron.time_steps, neuron.levels, neuron.rounding
    )
    if neuron.rounding != "signed":
        level = torch.floor((v + raise_by) / spacing).clamp(neuron.levels, 2 * neuron.levels - 1)
        level = level * (v >= silent_below)
        return level, v - level * spacing
    size = v.abs()
    level = torch.floor(size / spacing)
    level = level + (size - level * spacing >= raise_by)
    level = level.clamp(neuron.levels, 2 * neuron.levels - 1) * (size >= silent_below)
    level = torch.copysign(level, v)
    return level, v - level * spacing

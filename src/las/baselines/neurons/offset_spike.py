"""COS (Hao et al., ICLR 2023): calibrate offset spikes by the initial membrane potential."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least


class Noted(NamedTuple):
    """The least potential at which a neuron fired and the largest at which it did not.

    Both are before the reset, and infinite as long as there has been no such time step.
    """

    fired_at: Tensor
    silent_at: Tensor


class Offset(NamedTuple):
    """Membrane potential, and in the first run what the shift follows from."""

    v: Tensor
    noted: Noted | None


@dataclass(frozen=True)
class OffsetSpike(Neuron[Offset]):
    """Integrate-and-fire in two runs: the first one shifts where the second one begins.

    After rho time steps, a neuron that fired and ends at v < 0 has fired once too often: its v(0)
    is lowered by max(1, m - 0.999), m the least potential at which it fired, which undoes one
    spike at least. One that ends at v >= 1 has fired too little: its v(0) is raised by
    max(1, 1.001 - n), n the largest potential at which it was silent.

    Attributes:
        warm_up: rho.
    """

    signed: ClassVar[bool] = False
    warm_up: int = 4

    def begin(self, like: Tensor) -> Offset:
        """v(0) = 1/2."""
        v = torch.full_like(like, 0.5)
        never = torch.full_like(like, math.inf)
        return Offset(v, Noted(never, -never))

    def step(self, current: Tensor, state: Offset, t: int) -> tuple[Tensor, Offset]:
        """Integrate, take note of v in the first run, fire, reset by subtraction."""
        v = state.v + current
        spikes = at_least(v, 1)
        if state.noted is None:
            return spikes, Offset(v.sub_(spikes), None)
        fired = v.clamp(min=1).div_(spikes)  # v or inf
        silent = v.clamp(max=1).div_(spikes - 1).neg_()  # v or -inf
        fired_at = torch.minimum(state.noted.fired_at, fired, out=fired)
        silent_at = torch.maximum(state.noted.silent_at, silent, out=silent)
        return spikes, Offset(v.sub_(spikes), Noted(fired_at, silent_at))

    def restart(self, state: Offset) -> Offset:
        """v(0) = 1/2 and the shift; who fired at every time step and ends at v >= 1 rises by 1."""
        if state.noted is None:
            return state
        v = torch.full_like(state.v, 0.5)
        fired_at, silent_at = state.noted
        down = (fired_at - 0.999).clamp(min=1)
        up = torch.where(silent_at.isinf(), 1, 1.001 - silent_at).clamp(min=1)
        too_often = (state.v < 0) & fired_at.isfinite()
        shifted = torch.where(too_often, v - down, v)
        return Offset(torch.where(state.v >= 1, v + up, shifted), None)

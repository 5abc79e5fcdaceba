"""COS (Hao et al., ICLR 2023): calibrate offset spikes by the initial membrane potential."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least


class Offset(NamedTuple):
    """Membrane potential; the least at which it fired and the largest at which it did not.

    Both are before the reset, and infinite as long as there has been no such time step.
    """

    v: Tensor
    fired_at: Tensor
    silent_at: Tensor


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
        return Offset(v, torch.full_like(like, math.inf), torch.full_like(like, -math.inf))

    def step(self, current: Tensor, state: Offset, t: int) -> tuple[Tensor, Offset]:
        """Integrate, take note of v, fire, reset by subtraction."""
        v = state.v + current
        spikes = at_least(v, 1)
        fired_at = torch.minimum(state.fired_at, v.clamp(min=1).div_(spikes))  # v or inf
        silent = v.clamp(max=1).div_(spikes - 1).neg_()  # v or -inf
        silent_at = torch.maximum(state.silent_at, silent)
        return spikes, Offset(v - spikes, fired_at, silent_at)

    def restart(self, state: Offset) -> Offset:
        """v(0) = 1/2 and the shift; who fired at every time step and ends at v >= 1 rises by 1."""
        begun = self.begin(state.v)
        down = (state.fired_at - 0.999).clamp(min=1)
        up = torch.where(state.silent_at.isinf(), 1, 1.001 - state.silent_at).clamp(min=1)
        too_often = (state.v < 0) & state.fired_at.isfinite()
        v = torch.where(too_often, begun.v - down, begun.v)
        return begun._replace(v=torch.where(state.v >= 1, begun.v + up, v))

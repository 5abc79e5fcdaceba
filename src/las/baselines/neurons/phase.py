"""One spike a value, with a phase code: SpikedAttention (Hwang et al., NeurIPS 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron


class Waiting(NamedTuple):
    """Membrane potential, and who has fired."""

    v: Tensor
    done: Tensor


@dataclass(frozen=True)
class Phase(Neuron[Waiting]):
    """A spike at time step t is worth B^-(t - 1); each neuron fires once, where that is nearest.

    It fires where |v| >= (B^-(t - 1) + B^-t) / 2 and it has not fired yet, with the sign of v. All
    of its input has to be there at t = 1.

    Attributes:
        base: B.
    """

    base: float

    def begin(self, like: Tensor) -> Waiting:
        """v(0) = 0, nobody has fired."""
        return Waiting(torch.zeros_like(like), torch.zeros_like(like, dtype=torch.bool))

    def step(self, current: Tensor, state: Waiting, t: int) -> tuple[Tensor, Waiting]:
        """Integrate, fire once, reset by subtraction."""
        v = state.v + current
        weight = self.base ** (1 - t)
        fires = (v.abs() >= weight * (1 + 1 / self.base) / 2) & ~state.done
        spikes = fires * torch.sign(v) * weight
        return spikes, Waiting(v - spikes, state.done | fires)

    def largest(self, time_steps: int) -> float:
        """The one spike at t = 1."""
        return 1.0

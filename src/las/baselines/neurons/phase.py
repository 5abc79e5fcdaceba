"""One spike a value, with a phase code: SpikedAttention (Hwang et al., NeurIPS 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least


class Waiting(NamedTuple):
    """Membrane potential; 0 for the neurons that have fired, 1 for the others."""

    v: Tensor
    waiting: Tensor


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
        return Waiting(torch.zeros_like(like), torch.ones_like(like))

    def step(self, current: Tensor, state: Waiting, t: int) -> tuple[Tensor, Waiting]:
        """Integrate, fire once, reset by subtraction."""
        v = state.v + current
        weight, border = self._worth(t)
        fires = at_least(v.abs(), border).mul_(state.waiting)
        spikes = fires * torch.sign(v) * weight
        return spikes, Waiting(v - spikes, state.waiting - fires)

    def respond(self, current: Tensor, time_steps: int) -> tuple[Tensor, Tensor]:
        """The worth of the first of the T time steps whose border is reached; one spike."""
        magnitude, emitted = current.abs(), torch.zeros_like(current)
        for t in range(1, time_steps + 1):
            weight, border = self._worth(t)
            torch.maximum(emitted, at_least(magnitude, border).mul_(weight), out=emitted)
        emitted.mul_(torch.sign(current))
        return emitted, self.spikes(emitted)

    def largest(self, time_steps: int) -> float:
        """The one spike at t = 1."""
        return 1.0

    def _worth(self, t: int) -> tuple[float, float]:
        """What a spike at t is worth, and from which |v| on a neuron fires it."""
        weight = self.base ** (1 - t)
        return weight, weight * (1 + 1 / self.base) / 2

"""The burst neuron (Li and Zeng, IJCAI 2022), as STA has it (Jiang et al., ICLR 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron


@dataclass(frozen=True)
class Burst(Neuron[Tensor]):
    """Integrate-and-fire with up to `length` spikes a time step: S(t) = min(floor(v), length).

    v(0) = 1/2. The state is v.

    Attributes:
        length: spikes in a burst, at most.
    """

    signed: ClassVar[bool] = False
    length: int = 2

    def begin(self, like: Tensor) -> Tensor:
        """v(0) = 1/2."""
        return torch.full_like(like, 0.5)

    def step(self, current: Tensor, state: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Integrate, fire a burst, reset by subtraction."""
        v = state + current
        spikes = v.floor().clamp_(0, self.length)
        return spikes, v.sub_(spikes)

    def largest(self, time_steps: int) -> float:
        """A burst at every time step."""
        return time_steps * self.length

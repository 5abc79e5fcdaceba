"""The multi-threshold neuron of ECMT (Huang et al., ACM MM 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least

_COUNT = 8


@dataclass(frozen=True)
class MultiThreshold(Neuron[Tensor]):
    """Thresholds theta_k = 2^-k, k = 0 to 7, of each sign: one spike a step, worth its threshold.

    It fires the largest theta_k with |v| >= theta_k - theta_7 / 2, with the sign of v; v(0) = 0.
    The state is v.
    """

    finest: ClassVar[float] = 2.0 ** (1 - _COUNT)

    def begin(self, like: Tensor) -> Tensor:
        """v(0) = 0."""
        return torch.zeros_like(like)

    def step(self, current: Tensor, state: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Integrate, fire the largest threshold that is reached, reset by subtraction."""
        v = state + current
        magnitude = v.abs()
        reached = at_least(magnitude, self.finest / 2).mul_(self.finest)
        for k in range(1, _COUNT):
            theta = self.finest * 2**k
            reached.add_(at_least(magnitude, theta - self.finest / 2), alpha=theta / 2)
        spikes = torch.sign(v).mul_(reached)
        return spikes, v.sub_(spikes)

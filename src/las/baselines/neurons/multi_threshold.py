"""The multi-threshold neuron of ECMT (Huang et al., ACM MM 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron

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
        thetas = torch.tensor(
            [0.0, *(2.0**-k for k in reversed(range(_COUNT)))], dtype=v.dtype, device=v.device
        )
        reached = torch.bucketize(v.abs(), thetas[1:] - self.finest / 2, right=True)
        spikes = torch.sign(v) * thetas[reached]
        return spikes, v - spikes

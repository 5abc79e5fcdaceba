"""The integrate-and-fire neuron of QCFS (Bu et al., ICLR 2022; arXiv 2303.04347)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least


@dataclass(frozen=True)
class IntegrateAndFire(Neuron[Tensor]):
    """v(t) = v(t - 1) + I(t); S(t) = 1 where v(t) >= 1, else 0; v(t) falls by S(t).

    v(0) = 1/2, so that a constant current 0 <= I <= 1 fires floor(T I + 1/2) times in T steps: the
    quantisation-clip-floor-shift function. At most one spike a time step, and none is taken back.
    The state is v.
    """

    signed: ClassVar[bool] = False

    def begin(self, like: Tensor) -> Tensor:
        """v(0) = 1/2."""
        return torch.full_like(like, 0.5)

    def step(self, current: Tensor, state: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Integrate, fire, reset by subtraction."""
        v = state + current
        spikes = at_least(v, 1)
        return spikes, v.sub_(spikes)

"""SRP, called SPR in the paper's tables (Hao et al., AAAI 2023): look at the residual potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least

_RESIDUAL = 1e-3


class Residual(NamedTuple):
    """Membrane potential; 0 for the neurons that are silenced, 1 for the others."""

    v: Tensor
    awake: Tensor


@dataclass(frozen=True)
class ResidualPotential(Neuron[Residual]):
    """Integrate-and-fire in two runs: who ends the first one too low is silent in the second.

    After tau time steps a residual potential v(tau) <= 1e-3 says that a neuron has fired more than
    it was due, and that its input may be negative: it is silenced. All others begin again at
    v(0) = 1/2.

    Attributes:
        warm_up: tau.
    """

    signed: ClassVar[bool] = False
    warm_up: int = 4

    def begin(self, like: Tensor) -> Residual:
        """v(0) = 1/2, nobody silent."""
        return Residual(torch.full_like(like, 0.5), torch.ones_like(like))

    def step(self, current: Tensor, state: Residual, t: int) -> tuple[Tensor, Residual]:
        """Integrate, fire unless silenced, reset by subtraction."""
        v = state.v + current
        spikes = at_least(v, 1).mul_(state.awake)
        return spikes, Residual(v.sub_(spikes), state.awake)

    def restart(self, state: Residual) -> Residual:
        """v(0) = 1/2 again; silence where v(tau) <= 1e-3."""
        return Residual(torch.full_like(state.v, 0.5), (state.v > _RESIDUAL).to(state.v))

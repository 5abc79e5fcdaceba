"""ST-BIF, the bipolar neuron with a spike tracer of SpikeZIP-TF (You et al., ICML 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from las.baselines.neurons.neuron import Neuron, at_least


class Traced(NamedTuple):
    """Membrane potential, and the tracer: the sum of all spikes so far."""

    v: Tensor
    total: Tensor


@dataclass(frozen=True)
class STBIF(Neuron[Traced]):
    """Fires +1 where v >= 1 and the sum is below its maximum, -1 where v < 0 and it is above -max.

    v(0) = 1/2. A spike that was one too many is taken back by one of the other sign, so that the
    sum ends at round(sum of I) within its limits as soon as there have been enough time steps.

    Attributes:
        maximum: the limit of the sum; None for none but T, which is as far as it gets.
    """

    maximum: int | None = None

    def begin(self, like: Tensor) -> Traced:
        """v(0) = 1/2, sum 0."""
        return Traced(torch.full_like(like, 0.5), torch.zeros_like(like))

    def step(self, current: Tensor, state: Traced, t: int) -> tuple[Tensor, Traced]:
        """Integrate, fire within the limits, reset by subtraction."""
        v, total = state.v + current, state.total
        up, not_down = at_least(v, 1), at_least(v, 0)
        spikes = up.add_(not_down).sub_(1)
        if self.maximum is not None:
            spikes = (total + spikes).clamp_(-self.maximum, self.maximum).sub_(total)
        return spikes, Traced(v.sub_(spikes), total + spikes)

    def largest(self, time_steps: int) -> float:
        """T, or the maximum if that is smaller."""
        return time_steps if self.maximum is None else min(time_steps, self.maximum)

"""Spike-equivalent activation functions: one HG population, or the exact ReLU."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor

from las.components.component import SpikingComponent, Work
from las.components.site import HGSite, accumulate


class SpikingActivation(SpikingComponent):
    """f_hat(x) by HG neurons, e.g. GELU or SiLU (Section 4.3)."""

    equations = "Section 4.3"

    def __init__(self, function: str) -> None:
        super().__init__()
        self.site = HGSite(function)

    def work(self, x: Sequence[int]) -> tuple[Work, ...]:
        """One evaluation for each element of x."""
        evaluations = {self.site.function: prod(x)}
        return (Work("activation", nonlinear=evaluations, inputs=prod(x), outputs=prod(x)),)

    def forward(self, x: Tensor) -> Tensor:
        """Element by element, any shape."""
        if self.run.simulating:
            return accumulate(self.site.steps(x))
        spiked = self.site(x)
        if self.run.counting:
            self.count(self.work(self.site.shape_of(x)), spiked.firing)
        return spiked.value


class SpikingReLU(SpikingComponent):
    """ReLU, exactly: a gate on the sign, before the OAT neurons of the layer that reads it.

    A negative membrane potential emits nothing; a positive one is coded unchanged.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Element by element, any shape."""
        return x.clamp_min(0)

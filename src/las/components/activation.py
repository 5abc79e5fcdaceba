"""Spike-equivalent activation functions: one HG population, or the exact ReLU."""

from __future__ import annotations

from torch import Tensor, nn

from las.components.modes import simulating
from las.components.site import HGSite, accumulate
from las.neurons.tally import current_tally


class SpikingActivation(nn.Module):
    """f_hat(x) by HG neurons, e.g. GELU or SiLU (Section 4.3)."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.name = ""
        self.site = HGSite(function)

    def forward(self, x: Tensor) -> Tensor:
        """Element by element, any shape."""
        if simulating():
            return accumulate(self.site.steps(x))
        spiked = self.site(x)
        if (tally := current_tally()) is not None:
            tally.add_operations(
                self.name,
                self.name,
                "activation",
                sops=spiked.spikes,
                macs=0,
                nonlinear={self.site.function: x.numel()},
            )
        return spiked.value


class SpikingReLU(nn.Module):
    """ReLU, exactly: a gate on the sign, before the OAT neurons of the layer that reads it.

    A negative membrane potential emits nothing; a positive one is coded unchanged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = ""

    def forward(self, x: Tensor) -> Tensor:
        """Element by element, any shape."""
        return x.clamp_min(0)

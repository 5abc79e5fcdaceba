"""Components whose neurons have parameters set by hand, as a conversion would set them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

import las
from las.components.component import SpikingModule, share_run
from las.components.run_state import RunState
from las.components.site import HGSite, OATSite
from las.fitting import FUNCTIONS, fit
from las.neurons import HG, OAT
from las.neurons.tally import SpikeTally

Module = TypeVar("Module", bound=nn.Module)

RANGES = {
    "exp": (-60.0, 0.0),
    "reciprocal": (1.0, 64.0),
    "inverse_sqrt": (1e-6, 1e7),
    "square": (-3e4, 3e4),
    "gelu": (-30.0, 200.0),
    "silu": (-30.0, 200.0),
    "tanh": (-30.0, 30.0),
    "sigmoid": (-30.0, 30.0),
}


@pytest.fixture(scope="session")
def functions() -> dict[str, HG]:
    return {name: fit(FUNCTIONS[name], *ends, 16).neuron for name, ends in RANGES.items()}


@pytest.fixture
def spiking(functions: dict[str, HG]) -> Callable[..., nn.Module]:
    """Gives every neuron of a component its name and parameters.

    The outer band reaches to 600; tau/H has few bits, so that sums of weighted spikes are exact
    in float64, as those of chosen thresholds are.
    """

    def set_up(module: Module, neuron: OAT = OAT((5.0, 320.0), (8.0,))) -> Module:  # noqa: B008
        for path, part in module.named_modules():
            if isinstance(part, SpikingModule):
                part.name = f"top.{path}" if path else "top"
            if isinstance(part, OATSite):
                part.neuron = neuron
            elif isinstance(part, HGSite):
                part.neuron = functions[part.function]
        share_run(module, RunState())
        return module.double().eval()

    return set_up


Paths = Callable[[nn.Module, Callable[[], Tensor]], tuple[Tensor, Tensor, SpikeTally, SpikeTally]]


@pytest.fixture
def both_paths() -> Paths:
    """Runs something on the fused path and on the simulator, and counts spikes of both."""

    def run(
        module: nn.Module, forward: Callable[[], Tensor]
    ) -> tuple[Tensor, Tensor, SpikeTally, SpikeTally]:
        with torch.no_grad():
            with las.count_spikes(module) as fused_tally:
                fused = forward()
            with las.simulate(module), las.count_spikes(module) as simulated_tally:
                simulated = forward()
        return fused, simulated, fused_tally, simulated_tally

    return run


@pytest.fixture
def assert_one_truth(both_paths: Paths) -> Callable[[nn.Module, Callable[[], Tensor]], Tensor]:
    """Both paths agree and every site emits the same spikes; returns the fused result.

    Outputs are sums of up to some hundred products, added up in another order by each path:
    1e-12 of the largest of them, not of each, which may be a small difference of large terms.
    """

    def check(module: nn.Module, forward: Callable[[], Tensor]) -> Tensor:
        fused, simulated, fused_tally, simulated_tally = both_paths(module, forward)
        assert fused.dtype == torch.float64
        largest = fused.abs().max().item() if fused.numel() else 0.0
        assert torch.allclose(fused, simulated, rtol=1e-12, atol=1e-12 * largest)
        spikes = {name: site.spikes for name, site in fused_tally.sites.items()}
        assert spikes == {name: site.spikes for name, site in simulated_tally.sites.items()}
        inputs = {name: site.activations for name, site in fused_tally.sites.items()}
        assert inputs == {name: site.activations for name, site in simulated_tally.sites.items()}
        assert fused_tally.spikes > 0
        return fused

    return check

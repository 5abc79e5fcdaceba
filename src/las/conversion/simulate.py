"""Running a converted model step by step, and stopping it before the last of its time steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from las.components import modes
from las.components.site import HGSite, OATSite
from las.conversion.prepare import is_spiking
from las.errors import LasError


@contextmanager
def simulate(model: nn.Module) -> Iterator[None]:
    """Run the step simulator, spikes explicit over T, instead of the fused path inside the block.

    Arguments:
        model: a converted model.

    Raises:
        LasError: the model has no spiking neurons.
    """
    _need_spikes(model)
    with modes.simulate():
        yield


@contextmanager
def stop_after(model: nn.Module, t: int) -> Iterator[None]:
    """Read the model off after t of its T time steps inside the block.

    Every neuron keeps the thresholds of its T steps, fires in the first t of them and is silent in
    the others: an OAT neuron codes with theta(1) to theta(t), an HG neuron adds d(1) and its first
    t - 1 binary digits. This holds for the fused path and for the simulator.

    Arguments:
        model: a converted model.
        t: 1 to T.

    Raises:
        LasError: the model has no spiking neurons.
        ValueError: t is not among its time steps.
    """
    steps = time_steps(model)
    if not 1 <= t <= steps:
        raise ValueError(f"the model has time steps 1 to {steps}, it cannot stop after {t}")
    with modes.stop_after(t):
        yield


def time_steps(model: nn.Module) -> int:
    """T of a converted model; an error if it has no neurons, or they have no parameters yet."""
    _need_spikes(model)
    sites = (module for module in model.modules() if isinstance(module, OATSite | HGSite))
    return min(
        (site.calibrated() if isinstance(site, OATSite) else site.fitted()).time_steps
        for site in sites
    )


def _need_spikes(model: nn.Module) -> None:
    if not is_spiking(model):
        raise LasError(f"{type(model).__name__} has no spiking neurons: use las.convert first")

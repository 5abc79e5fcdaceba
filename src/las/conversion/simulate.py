"""Running a converted model step by step, and stopping it before the last of its time steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

from las.components.running import running
from las.components.site import Site
from las.options import whole_number


@contextmanager
def simulate(model: nn.Module) -> Iterator[None]:
    """Run the step simulator, spikes explicit over T, instead of the fused path inside the block.

    It holds for this model alone, in every thread that runs it.

    Arguments:
        model: a converted model, a part of one, or a module that holds some.

    Raises:
        LasError: the model has no spiking neurons.
    """
    with ExitStack() as blocks:
        for one in running(model):
            blocks.enter_context(one.run.simulate())
        yield


@contextmanager
def stop_after(model: nn.Module, t: int) -> Iterator[None]:
    """Read the model off after t of its T time steps inside the block.

    Every neuron keeps the thresholds of its T steps, fires in the first t of them and is silent in
    the others: an OAT neuron codes with theta(1) to theta(t), an HG neuron adds d(1) and its first
    t - 1 binary digits. One with fewer than t time steps, as frugal neurons may have, fires in all
    of them. This holds for the fused path and for the simulator, for this model alone, and for
    every thread that runs it; of blocks within each other, for the innermost one.

    Arguments:
        model: a converted model, a part of one, or a module that holds some.
        t: 1 to T; of frugal neurons, to the largest T of any of them.

    Raises:
        LasError: the model has no spiking neurons.
        ValueError: t is not among its time steps.
    """
    steps = time_steps(model)
    t = whole_number("t, a time step of the model,", t, 1, steps)
    with ExitStack() as blocks:
        for one in running(model):
            blocks.enter_context(one.run.stop_after(t))
        yield


def time_steps(model: nn.Module) -> int:
    """T of a converted model, the largest of its neurons.

    Raises:
        LasError: it has none.
        CalibrationError: they have no parameters yet.
    """
    parts = (part for one in running(model) for part in one.model.modules())
    return max(part.time_steps for part in parts if isinstance(part, Site))

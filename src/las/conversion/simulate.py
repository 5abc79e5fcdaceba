"""Running a converted model step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from las.components import modes
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
    if not is_spiking(model):
        raise LasError(f"{type(model).__name__} has no spiking neurons: use las.convert first")
    with modes.simulate():
        yield

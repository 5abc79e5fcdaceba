"""The energy of a model from the spikes that were counted while it ran."""

from __future__ import annotations

from torch import nn

from las.components.running import running
from las.energy.cost_model import PAPER, CostModel
from las.energy.estimate import COUNTED, estimate
from las.energy.report import EnergyReport
from las.neurons.tally import SpikeTally
from las.options import instance_of


def energy(model: nn.Module, spikes: SpikeTally, cost_model: CostModel = PAPER) -> EnergyReport:
    """Energy of the spiking model beside that of the original, per layer and in total (Eq. 25).

    Arguments:
        model: the converted model.
        spikes: what `las.count_spikes` counted while it ran.
        cost_model: energy per operation; the paper's constants by default.

    Raises:
        LasError: the model has no spiking neurons.
        ValueError: nothing was counted, the counts belong to another model, or an argument is of
            another kind.
    """
    running(model)
    instance_of("spikes", spikes, SpikeTally, COUNTED)
    layers = {name for name, _ in model.named_modules()}
    strangers = sorted({op.layer for op in spikes.operations.values()} - layers)
    if strangers:
        raise ValueError(
            f"these spikes were counted in another model: {type(model).__name__} has no layer "
            f"{strangers[0]!r}"
        )
    return estimate(spikes, cost_model)

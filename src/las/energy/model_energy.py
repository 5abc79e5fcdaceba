"""The energy of a model from the spikes that were counted while it ran."""

from __future__ import annotations

from torch import nn

from las.energy.cost_model import PAPER, CostModel
from las.energy.estimate import estimate
from las.energy.report import EnergyReport
from las.neurons.tally import SpikeTally


def energy(model: nn.Module, spikes: SpikeTally, cost_model: CostModel = PAPER) -> EnergyReport:
    """Energy of the spiking model beside that of the original, per layer and in total (Eq. 25).

    Arguments:
        model: the converted model.
        spikes: what `las.count_spikes` counted while it ran.
        cost_model: energy per operation; the paper's constants by default.

    Raises:
        ValueError: nothing was counted, or the counts belong to another model.
    """
    layers = {name for name, _ in model.named_modules()}
    strangers = sorted({op.layer for op in spikes.operations.values()} - layers)
    if strangers:
        raise ValueError(
            f"these spikes were counted in another model: {type(model).__name__} has no layer "
            f"{strangers[0]!r}"
        )
    return estimate(spikes, cost_model)

"""The energy of a model from the spikes that were counted while it ran."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from las.components.running import running
from las.energy.accounts import Accounts, accounts
from las.energy.cost_model import PAPER, CostModel
from las.energy.descriptions import HOROWITZ_45NM
from las.energy.estimate import COUNTED, estimate
from las.energy.hardware import Hardware
from las.energy.neurobench import neurobench
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
    _check(model, spikes)
    return estimate(spikes, cost_model)


def energy_accounts(
    model: nn.Module, spikes: SpikeTally, hardware: Hardware = HOROWITZ_45NM
) -> Accounts:
    """Energy of both models under all accounts, latency, and NeuroBench's metrics.

    Arguments:
        model: the converted model.
        spikes: what `las.count_spikes` counted while it ran.
        hardware: one of `las.energy.HARDWARE`, or a description of your own.

    Raises:
        LasError: the model has no spiking neurons.
        ValueError: nothing was counted, the counts belong to another model, or an argument is of
            another kind.
    """
    _check(model, spikes)
    return replace(
        accounts(spikes, hardware),
        layers=neurobench(spikes, model=model),
        products=neurobench(spikes, ("linear", "matmul"), model),
    )


def _check(model: nn.Module, spikes: SpikeTally) -> None:
    running(model)
    instance_of("spikes", spikes, SpikeTally, COUNTED)
    layers = {name for name, _ in model.named_modules()}
    strangers = sorted({op.layer for op in spikes.operations.values()} - layers)
    if strangers:
        raise ValueError(
            f"these spikes were counted in another model: {type(model).__name__} has no layer "
            f"{strangers[0]!r}"
        )

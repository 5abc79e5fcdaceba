"""From what calibration saw to the neurons of a model, as its options say."""

from __future__ import annotations

from torch import nn

from las.calibration.statistics import Statistics
from las.calibration.thresholds import choose_thresholds
from las.config import SpikeConfig
from las.conversion.frugal import Weighed, spike_within_budget
from las.conversion.state import SpikingState, apply, assemble
from las.fitting.model_functions import FittedFunctions


def choose_neurons(
    model: nn.Module,
    statistics: Statistics,
    functions: FittedFunctions,
    weighed: Weighed | None,
    config: SpikeConfig,
) -> SpikingState:
    """Choose the thresholds of a prepared model, and give it its neurons.

    Arguments:
        model: a prepared model.
        statistics: what calibration saw.
        functions: its HG neurons.
        weighed: what errors cost, to spend a budget by; None where there is no budget.
        config: the options of the conversion.

    Returns:
        The state that the model is in.

    Raises:
        CalibrationError: an output that no loss is known of, for a budget.
    """
    if weighed is not None:
        return spike_within_budget(model, statistics, functions, weighed, config)
    state = assemble(statistics, choose_thresholds(statistics, config), functions, config)
    apply(model, state)
    return state

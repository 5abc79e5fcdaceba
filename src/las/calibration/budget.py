"""Thresholds from one budget for the whole model: where a spike buys most, it is fired."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from las.calibration import bins
from las.calibration.sensitivity import Sensitivity
from las.calibration.statistics import SiteStatistics, Statistics
from las.calibration.thresholds import SiteThresholds, Thresholds, at_any_length, short
from las.config import SpikeConfig
from las.neurons.fused import code_oat
from las.neurons.oat import OAT

Array = NDArray[np.float64]

PHASES = 8
"""Sizes of the last threshold that are tried in each octave."""

_POINTS = 16
"""Values that stand for a bin; they lie elsewhere in each, so as not to keep step with levels."""

_GOLDEN = (math.sqrt(5) - 1) / 2

_REACH = 24
"""Octaves above its last threshold up to which the error of a neuron is looked up."""

_PRICES = 60
"""Halvings in the search for the price of a spike."""


@dataclass(frozen=True)
class Choices:
    """What a site could do: for each size of its last threshold, what it costs.

    Attributes:
        last: theta(T), descending, (n,).
        operations: synaptic operations for each token, (n,).
        loss: what the errors add to the loss, (n,).
    """

    last: Array
    operations: Array
    loss: Array

    def cheapest(self, price: float) -> int:
        """The choice that costs least, where a unit of loss costs so many operations."""
        return int(np.argmin(self.operations + price * self.loss))


def choices(statistics: Statistics, costs: Sensitivity, config: SpikeConfig) -> dict[str, Choices]:
    """What every OAT site could do, but for those where errors are not known to cost anything.

    Arguments:
        statistics: what calibration saw: how large activations are.
        costs: what their errors and their spikes cost.
        config: H.
    """
    return {
        name: _choices(
            at_any_length(site, statistics.farthest),
            site.histogram / statistics.tokens * costs.synapses[name],
            costs.costs[name],
            config,
        )
        for name, site in statistics.sites.items()
        if site.kind == "oat" and name in costs.costs and costs.costs[name].any()
    }


def allot(
    statistics: Statistics, options: Mapping[str, Choices], config: SpikeConfig, budget: float
) -> Thresholds:
    """The thresholds that cost the fewest synaptic operations within a budget.

    The error that each site adds to the loss and the operations that its spikes cause are known for
    every size of its last threshold. Where the sum of the first is bounded and that of the second
    the least, all sites trade one for the other at the same price.

    Sites without choices get as many steps as functions have: their errors reach an output that
    the loss does not look at, as those of a pooler do, or they have not been seen to cost anything.

    Arguments:
        statistics: what calibration saw.
        options: see `choices`.
        config: H and the margin.
        budget: the loss that is allowed, as it adds up (see `Loss`).
    """
    low, high = 1e-30, 1e30
    for _ in range(_PRICES):
        price = math.sqrt(low * high)
        loss = sum(one.loss[one.cheapest(price)] for one in options.values())
        low, high = (price, high) if loss > budget else (low, price)
    sites = {}
    for name, site in statistics.sites.items():
        if name in options:
            one = options[name]
            sites[name] = _site(site, float(one.last[one.cheapest(high)]), config)
        elif site.kind == "oat":
            last = config.margin * (_peak(site) or 1.0) * 2.0**-config.function_steps
            sites[name] = _site(site, last, config)
    return Thresholds(sites)


def _peak(site: SiteStatistics) -> float:
    """The largest magnitude that a site is to code; a query that sees one key gives it all."""
    return max(site.high, 1.0) if site.keys else site.peak


def _site(site: SiteStatistics, last: float, config: SpikeConfig) -> SiteThresholds:
    """Thresholds from theta(T) up to the largest value that is to be represented.

    Silent steps at the beginning cost no spike.
    """
    reach = config.margin * _peak(site) / last
    octaves = math.ceil(math.log2(max(reach, 1.0)))
    filled = math.ceil(math.log2(reach / (2 - 1 / config.levels) + 1))  # by the top levels of all
    steps = min(max(octaves, filled, 1), config.time_steps)
    tau = short(last * 2.0**steps, config.levels)
    return SiteThresholds((tau,), (), steps)


def _choices(site: SiteStatistics, reads: Array, costs: Array, config: SpikeConfig) -> Choices:
    """What one site could do.

    Arguments:
        site: what calibration saw of it.
        reads: synaptic operations that one spike of each value in a bin causes, for each token.
        costs: see `Sensitivity`.
        config: H.
    """
    top = int(np.searchsorted(bins.edges(), config.margin * max(site.peak, 2.0**bins.LOW_EXPONENT)))
    last, operations, loss = [], [], []
    per = bins.PER_OCTAVE
    reach = min(_REACH, config.time_steps)
    for octave in range(top // per, max(top // per - reach, 0), -1):
        for phase in reversed(range(PHASES)):
            scale = 2.0 ** (bins.LOW_EXPONENT + octave)
            spikes, error = _of_one(config.levels, phase)
            first = (octave - _REACH) * per  # the bin that comes first in the tables
            shift = slice(max(first, 0), min(first + len(spikes), bins.BINS))
            table = slice(shift.start - first, shift.stop - first)
            below = float((costs[: shift.start] * _squares()[: shift.start]).sum())
            last.append(scale * 2.0 ** (phase / PHASES))
            operations.append(float((reads[shift] * spikes[table]).sum()))
            loss.append(float((costs[shift] * error[table]).sum()) * scale**2 + below)
    return Choices(np.array(last), np.array(operations), np.array(loss))


@lru_cache(maxsize=1)
def _squares() -> Array:
    """The mean square of the values in each bin, which is their error where they are silent."""
    edges = bins.edges()
    return np.asarray((edges[1:] ** 3 - edges[:-1] ** 3) / (3 * (edges[1:] - edges[:-1])))


@lru_cache(maxsize=256)
def _of_one(levels: int, phase: int) -> tuple[Array, Array]:
    """Spikes and squared errors of a signed neuron with theta(T) = 2^(phase / PHASES), by bin.

    The bins are those of magnitudes from 2^-`_REACH` to 2^`_REACH`, (2 _REACH PER_OCTAVE,).
    """
    per = bins.PER_OCTAVE
    index = np.arange(2 * _REACH * per)
    low = 2.0 ** (index // per - _REACH) * (1 + index % per / per)
    width = 2.0 ** (index // per - _REACH) / per
    within = (np.arange(_POINTS) + (index * _GOLDEN % 1)[:, None]) / _POINTS
    x = low[:, None] + width[:, None] * within
    steps = _REACH + 1
    neuron = OAT((2.0 ** (phase / PHASES + steps),), (), steps, levels, "signed")
    inputs = torch.from_numpy(x)
    coded = code_oat(inputs, neuron, count=True)
    assert coded.counts is not None
    error = (coded.value - inputs).square().mean(-1).numpy()
    return coded.counts.double().mean(-1).numpy(), error

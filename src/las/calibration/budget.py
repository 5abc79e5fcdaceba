"""Thresholds from one budget for the whole model: where a spike buys most, it is fired."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from las.calibration import bins
from las.calibration.sensitivity import Sensitivity
from las.calibration.statistics import SiteStatistics, Statistics
from las.calibration.thresholds import (
    SiteThresholds,
    Thresholds,
    at_any_length,
    full_scale,
    short,
)
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

_WORTH = 0.01
"""The least share of what a site costs that thresholds of each channel must save."""

_HIGHEST = 1e30
"""The highest price of a unit of loss, in synaptic operations, and its inverse the lowest."""

_PRICES = 60
"""Halvings in the search for the price of a spike."""


@dataclass(frozen=True)
class Choices:
    """What a site could do: for each size of its last thresholds, what it costs.

    Attributes:
        last: theta(T) of the band of the smallest magnitudes, (n,); descending where it is the
            only one.
        operations: synaptic operations for each token, (n,).
        loss: what the errors add to the loss, (n,), if no other site has any.
        further: theta(T) of its further bands, ascending, n times.
        scattered: what independent errors add to the loss beyond the mean ones, (n,).
        relative: the mean errors of the values in each octave, relative to them, (n, OCTAVES).
        shifts: where channels have thresholds of their own, how far they are apart (see `OAT`).
            All of the above is in units of the channels then.
    """

    last: Array
    operations: Array
    loss: Array
    further: tuple[tuple[float, ...], ...]
    scattered: Array
    relative: Array
    shifts: tuple[int, ...] = ()

    def cheapest(self, price: float) -> int:
        """The choice that costs least, where a unit of loss costs so many operations."""
        return int(np.argmin(self._costs(price)))

    def cost(self, price: float) -> float:
        """What that choice costs, its loss included."""
        return float(self._costs(price).min())

    def _costs(self, price: float) -> Array:
        return self.operations + price * self.loss


class Allotted(NamedTuple):
    """What is bought for a budget.

    Attributes:
        thresholds: of all sites.
        scattered: what errors at all sites add to the loss beyond the mean ones.
        relative: by site, the mean errors (see `Choices`), (OCTAVES,). What they add to the loss
            they add together (see `MeanErrors`).
    """

    thresholds: Thresholds
    scattered: float
    relative: dict[str, Array]

    @property
    def shifts(self) -> dict[str, tuple[int, ...]]:
        """By site, how far thresholds of channels are apart; only of sites where they are."""
        return {name: one.shifts for name, one in self.thresholds.sites.items() if one.shifts}


class SiteChoices(NamedTuple):
    """What a site could do with thresholds that are alike in all channels, or not.

    Attributes:
        alike: with thresholds for all channels.
        apart: with those of each channel; None where channels are not known to differ.
    """

    alike: Choices
    apart: Choices | None = None

    def at(self, price: float) -> Choices:
        """Those of the two to choose from, where a unit of loss costs so many operations."""
        if self.apart is None or self.apart.cost(price) > (1 - _WORTH) * self.alike.cost(price):
            return self.alike
        return self.apart

    @property
    def least_loss(self) -> float:
        """The least that its errors add to the loss."""
        return float(self.at(_HIGHEST).loss.min())


def choices(
    statistics: Statistics, costs: Sensitivity, config: SpikeConfig
) -> dict[str, SiteChoices]:
    """What every OAT site could do, but for those where errors are not known to cost anything.

    Arguments:
        statistics: what calibration saw: how large activations are.
        costs: what their errors and their spikes cost.
        config: H, the margin, and the most time steps and bands.
    """
    found = {}
    for name, site in statistics.sites.items():
        if site.kind != "oat" or name not in costs.costs or not costs.costs[name].any():
            continue
        reads = site.histogram / statistics.tokens * costs.synapses[name]
        alike = _choices(
            at_any_length(site, statistics.farthest),
            reads,
            costs.costs[name],
            costs.together.get(name),
            config,
        )
        apart = None
        if (one := costs.shifted.get(name)) is not None:
            reads = one.histogram * float(reads.sum())
            in_units = in_units_of(site, one.shifts)
            apart = _choices(in_units, reads, one.costs, one.together, config)
            apart = replace(apart, shifts=one.shifts)
        found[name] = SiteChoices(alike, apart)
    return found


def in_units_of(site: SiteStatistics, shifts: tuple[int, ...]) -> SiteStatistics:
    """A site with the largest magnitude in units of its channels; nothing else is in these.

    Arguments:
        site: what calibration saw.
        shifts: octaves by which the unit of each channel is above 1; empty where all are alike.
    """
    if not shifts:
        return site
    peak = float((site.channel_peak / 2.0 ** np.array(shifts)).max())
    return replace(site, low=-peak, high=peak)


def allot(
    statistics: Statistics, options: Mapping[str, SiteChoices], config: SpikeConfig, budget: float
) -> Allotted:
    """The thresholds that cost the fewest synaptic operations within a budget.

    The error that each site adds to the loss and the operations that its spikes cause are known for
    every size of its last thresholds. Where the sum of the first is bounded and that of the second
    the least, all sites trade one for the other at the same price.

    Sites without choices get as many steps as functions have: their errors reach an output that
    the loss does not look at, as those of a pooler do, or they have not been seen to cost anything.

    Arguments:
        statistics: what calibration saw.
        options: see `choices`.
        config: H, the margin, and the most time steps.
        budget: the loss that is allowed, as it adds up (see `Loss`).
    """

    def lost(price: float) -> float:
        chosen = (one.at(price) for one in options.values())
        return sum((float(one.loss[one.cheapest(price)]) for one in chosen), 0.0)

    low, high = 1 / _HIGHEST, _HIGHEST
    for _ in range(_PRICES):
        price = math.sqrt(low * high)
        low, high = (price, high) if lost(price) > budget else (low, price)
    sites: dict[str, SiteThresholds] = {}
    scattered, relative = 0.0, {}
    for name, site in statistics.sites.items():
        if name in options:
            one = options[name].at(high)
            choice = one.cheapest(high)
            last, further = float(one.last[choice]), one.further[choice]
            found = _site(in_units_of(site, one.shifts), last, further, config)
            sites[name] = found._replace(shifts=one.shifts)
            scattered += float(one.scattered[choice])
            relative[name] = one.relative[choice]
        elif site.kind == "oat":
            last = config.margin * (_peak(site) or 1.0) * 2.0**-config.function_steps
            sites[name] = _site(site, last, (), config)
    return Allotted(Thresholds(sites), scattered, relative)


def _peak(site: SiteStatistics) -> float:
    """The largest magnitude that a site is to code; a query that sees one key gives it all."""
    return max(site.high, 1.0) if site.keys else site.peak


def _site(
    site: SiteStatistics, last: float, further: tuple[float, ...], config: SpikeConfig
) -> SiteThresholds:
    """Thresholds from theta(T) up to the largest value that is to be represented.

    Silent steps at the beginning cost no spike.
    """
    if further:
        lasts = (last, *further)
        taus = (short(one * 2.0**config.time_steps, config.levels) for one in lasts)
        gates = (float(bins.edges()[_end(one, config)]) for one in lasts[:-1])
        return SiteThresholds(tuple(taus), tuple(gates), config.time_steps)
    reach = config.margin * _peak(site) / last
    octaves = math.ceil(math.log2(max(reach, 1.0)))
    filled = math.ceil(math.log2(reach / (2 - 1 / config.levels) + 1))  # by the top levels of all
    steps = min(max(octaves, filled, 1), config.time_steps)
    tau = short(last * 2.0**steps, config.levels)
    return SiteThresholds((tau,), (), steps)


def _last(octave: int, phase: int) -> float:
    """A last threshold."""
    return float(2.0 ** (bins.LOW_EXPONENT + octave) * 2.0 ** (phase / PHASES))


def _largest(last: float, config: SpikeConfig) -> float:
    """The largest value that T steps down to a last threshold represent."""
    return full_scale(config) * 2.0**config.time_steps * last


def _end(last: float, config: SpikeConfig) -> int:
    """The edge of bins that is next below that value."""
    return int(np.searchsorted(bins.edges(), _largest(last, config), "right")) - 1


def _choices(
    site: SiteStatistics, reads: Array, costs: Array, together: Array | None, config: SpikeConfig
) -> Choices:
    """What one site could do.

    Where T steps reach from a last threshold up to the largest value, there is one band. Where they
    do not, further bands go on from there.

    Arguments:
        site: what calibration saw of it.
        reads: synaptic operations that one spike of each value in a bin causes, for each token.
        costs: see `Sensitivity`.
        together: likewise; None where it is not known.
        config: see `choices`.
    """
    sizes = np.maximum(reads * np.sqrt(_squares()), np.finfo(float).tiny)
    silent = bins.by_octave(costs * _squares())
    work = _Work(reads, sizes, costs, silent, together, config.levels)
    highest = config.margin * max(site.peak, 2.0**bins.LOW_EXPONENT)
    top = int(np.searchsorted(bins.edges(), highest))
    octaves = range(top // bins.PER_OCTAVE, max(top // bins.PER_OCTAVE - _REACH, 0), -1)
    ladder = [(octave, phase) for octave in octaves for phase in reversed(range(PHASES))]
    reaching = [one for one in ladder if _largest(_last(*one), config) >= highest] or ladder[:1]
    whole = [_Band(*one, _REACH + 1, work) for one in reaching]
    found = [one.of_all() for one in whole]
    if config.bands > 1 and len(whole) < len(ladder):
        parts = [_Band(*one, config.time_steps, work) for one in ladder[len(whole) - 1 :]]
        found += _of_several(parts, top, config)
    last, operations, loss, further, scattered, relative = zip(*found, strict=True)
    return Choices(
        np.array(last),
        np.array(operations),
        np.array(loss),
        further,
        np.array(scattered),
        np.array(relative),
    )


class _Found(NamedTuple):
    """One of a site's `Choices`."""

    last: float
    operations: float
    loss: float
    further: tuple[float, ...]
    scattered: float
    relative: Array


class _Work(NamedTuple):
    """What the neurons of a site do.

    Attributes:
        reads, costs, together: see `_choices`.
        sizes: sums of the magnitudes in each bin, (BINS,), but for a factor; never 0.
        silent: what it adds to the loss where all values of an octave are silent, (OCTAVES,).
        levels: H.
    """

    reads: Array
    sizes: Array
    costs: Array
    silent: Array
    together: Array | None
    levels: int


class _Band:
    """What a signed neuron costs at a site.

    Attributes:
        last: theta(T).
    """

    def __init__(self, octave: int, phase: int, steps: int, work: _Work) -> None:
        self._scale, self._work = 2.0 ** (bins.LOW_EXPONENT + octave), work
        self.last = _last(octave, phase)
        coded = _of_one(work.levels, phase, steps)
        first = (octave - _REACH) * bins.PER_OCTAVE  # the bin that comes first in the tables
        self._shift = shift = slice(max(first, 0), min(first + len(coded.spikes), bins.BINS))
        table = slice(shift.start - first, shift.stop - first)
        self._fired = work.reads[shift] * coded.spikes[table]
        self._lost = work.costs[shift] * coded.error[table]
        self._below = work.costs[: shift.start] * _squares()[: shift.start]
        self._bias = np.zeros(bins.BINS)
        self._bias[: shift.start], self._bias[shift] = -1.0, coded.bias[table]

    def of_all(self) -> _Found:
        """The choice of this band alone."""
        lost = float(self._lost.sum()) * self._scale**2 + float(self._below.sum())
        return self.up_to(bins.BINS, float(self._fired.sum()), lost, ())

    def up_to_edges(self) -> tuple[Array, Array]:
        """Operations and loss of the values below each edge of bins, both (BINS + 1,).

        The loss is that of independent errors.
        """
        operations, loss = np.zeros(bins.BINS + 1), np.zeros(bins.BINS + 1)
        operations[1:][self._shift] = self._fired
        loss[1:][self._shift] = self._lost * self._scale**2
        loss[1 : self._shift.start + 1] = self._below
        return operations.cumsum(), loss.cumsum()

    def up_to(self, end: int, operations: float, lost: float, further: tuple[float, ...]) -> _Found:
        """The choice of this band for the smallest values, and of further ones.

        What errors have in common is that of this band, where values are silent. It is never less
        than 0: errors that seem to cancel may do so in the data that were seen alone.

        Arguments:
            end: the edge of bins where this band ends.
            operations: of all bands.
            lost: what independent errors of all bands add to the loss.
            further: theta(T) of further bands.
        """
        work, biased = self._work, self._work.sizes * self._bias
        biased[end:] = 0.0
        relative = bins.by_octave(biased) / bins.by_octave(work.sizes)
        scattered = max(lost - float(work.silent @ relative**2), 0.0)
        if work.together is not None:
            lost += max(float(relative @ work.together @ relative), 0.0)
        return _Found(self.last, operations, lost, further, scattered, relative)


def _of_several(bands: list[_Band], top: int, config: SpikeConfig) -> list[_Found]:
    """What a site could do with two bands and more.

    A band begins where the one before it ends. The last one is the finest that reaches the largest
    value; those between it and the first are the ones that lose least.

    Arguments:
        bands: from that one down to finer ones.
        top: the edge of bins that the last band is to reach.
        config: the most time steps and bands.
    """
    lasts = [one.last for one in bands]
    operations, loss = map(np.array, zip(*(one.up_to_edges() for one in bands), strict=True))
    ends = np.array([_end(one, config) for one in lasts])
    n = np.arange(len(bands))
    # Of two bands with all but the same end one is of no use.
    inner = (n > 0) & (ends < top - 1) & (ends > 0)
    follows = inner & (ends >= ends[:, None] + 2)  # [band, the one after it]
    rest: list[tuple[float, ...]] = [(lasts[0],)] * len(bands)
    rest_operations = operations[0, -1] - operations[0, ends]
    rest_loss = loss[0, -1] - loss[0, ends]
    found: list[_Found] = []
    for _ in range(1, config.bands):
        for i in np.flatnonzero(inner & np.isfinite(rest_loss)):
            spent = operations[i, ends[i]] + rest_operations[i]
            lost = loss[i, ends[i]] + rest_loss[i]
            found.append(bands[i].up_to(ends[i], float(spent), float(lost), rest[i]))
        costs = loss[n, ends] - loss[:, ends].T + rest_loss
        after = np.where(follows, costs, np.inf).argmin(1)
        rest_loss = np.where(follows[n, after], costs[n, after], np.inf)
        rest_operations = (
            operations[after, ends[after]] - operations[after, ends] + rest_operations[after]
        )
        rest = [(lasts[j], *rest[j]) for j in after]
    return found


@lru_cache(maxsize=1)
def _squares() -> Array:
    """The mean square of the values in each bin, which is their error where they are silent."""
    edges = bins.edges()
    return np.asarray((edges[1:] ** 3 - edges[:-1] ** 3) / (3 * (edges[1:] - edges[:-1])))


class _Coded(NamedTuple):
    """What a neuron does with the values of each bin.

    Attributes:
        spikes: the mean number.
        error: the mean squared error.
        bias: the mean error, relative to the mean value.
    """

    spikes: Array
    error: Array
    bias: Array


@lru_cache(maxsize=256)
def _of_one(levels: int, phase: int, steps: int) -> _Coded:
    """What a signed neuron with theta(T) = 2^(phase / PHASES) does.

    The bins are those of magnitudes from 2^-`_REACH` to 2^`_REACH`, (2 _REACH PER_OCTAVE,).
    """
    per = bins.PER_OCTAVE
    index = np.arange(2 * _REACH * per)
    low = 2.0 ** (index // per - _REACH) * (1 + index % per / per)
    width = 2.0 ** (index // per - _REACH) / per
    within = (np.arange(_POINTS) + (index * _GOLDEN % 1)[:, None]) / _POINTS
    x = low[:, None] + width[:, None] * within
    neuron = OAT((2.0 ** (phase / PHASES + steps),), (), steps, levels, "signed")
    inputs = torch.from_numpy(x)
    coded = code_oat(inputs, neuron, count=True)
    assert coded.counts is not None
    error = coded.value - inputs
    return _Coded(
        coded.counts.double().mean(-1).numpy(),
        error.square().mean(-1).numpy(),
        (error.mean(-1) / inputs.mean(-1)).numpy(),
    )

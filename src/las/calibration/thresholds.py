"""Thresholds from statistics: by the error they cause, or by a rule of the paper or its code."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from las.calibration import bins
from las.calibration.statistics import SiteStatistics, Statistics
from las.config import Rounding, SpikeConfig
from las.errors import CalibrationError
from las.neurons.fused import code_oat
from las.neurons.mt import MT
from las.neurons.oat import OAT

Array = NDArray[np.float64]

_DEPTH = 34  # octaves below the largest value that a gate may lie at
_SPAN = _DEPTH * bins.PER_OCTAVE
_LONGER = 1 / 8  # what longer texts weigh beside those of calibration
_PERCENTILES = (0.99, 0.999)


class SiteThresholds(NamedTuple):
    """What an OAT site needs beside the options of the conversion.

    Attributes:
        taus: base thresholds.
        gates: what divides the bands.
        time_steps: T of this site; None for that of the options.
        shifts: see `OAT`.
    """

    taus: tuple[float, ...]
    gates: tuple[float, ...]
    time_steps: int | None = None
    shifts: tuple[int, ...] = ()

    def neuron(self, config: SpikeConfig) -> OAT:
        """The neuron, by the options of a conversion."""
        steps = self.time_steps or config.time_steps
        return OAT(self.taus, self.gates, steps, config.levels, config.rounding, self.shifts)

    def of_any_channel(self, config: SpikeConfig) -> SiteThresholds:
        """For all channels alike: as large as the largest, down to the smallest if T allows it."""
        if not self.shifts:
            return self
        top, spread = 2.0 ** max(self.shifts), max(self.shifts) - min(self.shifts)
        taus, gates = (tuple(top * one for one in part) for part in (self.taus, self.gates))
        steps = (self.time_steps or config.time_steps) + spread
        return SiteThresholds(taus, gates, min(steps, config.time_steps))


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of each OAT site, by name."""

    sites: dict[str, SiteThresholds]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        data = {name: _plain(site) for name, site in self.sites.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1))

    @classmethod
    def load(cls, path: Path) -> Thresholds:
        """Read a file written by `save`.

        Raises:
            CalibrationError: the file is missing or truncated.
        """
        try:
            data: dict[str, Any] = json.loads(path.read_text())
            sites = {
                n: SiteThresholds(
                    tuple(s["taus"]),
                    tuple(s["gates"]),
                    s.get("time_steps"),
                    tuple(s.get("shifts", ())),
                )
                for n, s in data.items()
            }
        except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
            raise CalibrationError(
                f"cannot read thresholds from {path} ({error}): calibrate again"
            ) from error
        return cls(sites)


def _plain(site: SiteThresholds) -> dict[str, Any]:
    """For JSON; without shifts where there are none."""
    return {part: value for part, value in site._asdict().items() if part != "shifts" or value}


def choose_thresholds(statistics: Statistics, config: SpikeConfig) -> Thresholds:
    """Choose the thresholds of every OAT site.

    Arguments:
        statistics: what calibration saw.
        config: T, H, bands, rounding and the rule.
    """
    rules = {
        "error": _least_error,
        "percentile": _percentile,
        "paper": _paper,
        "released": _released,
    }
    rule = rules[config.threshold_rule]
    sites = {}
    coded = {name: site for name, site in statistics.sites.items() if site.kind == "oat"}
    for name, site in tqdm(coded.items(), desc="choosing thresholds", unit="site"):
        if rule is _least_error:
            site = at_any_length(site, statistics.farthest)
        taus, gates = rule(site, config)
        sites[name] = SiteThresholds(tuple(short(tau, config.levels) for tau in taus), gates)
    return Thresholds(sites)


def at_any_length(site: SiteStatistics, farthest: int) -> SiteStatistics:
    """What calibration would have seen of probabilities at every length up to the longest one.

    A query that sees a single key gives it all. One that sees twice as many keys gives each half
    as much: twice as many probabilities, an octave lower. To the context, which is their sum of
    values, an error then matters four times as much. So the statistics are repeated octave by
    octave with a weight of 4^k; all the repetitions together weigh an eighth of what was seen.

    Arguments:
        site: what was seen at any site; only probabilities depend on the length.
        farthest: the most keys that a query may see.
    """
    if not site.keys:
        return site
    octaves = int(math.log2(max(farthest / site.keys, 1)))
    importance = site.importance.copy()
    for k in range(1, octaves + 1):
        lower = k * bins.PER_OCTAVE
        importance[:-lower] += _LONGER * 4.0**k / octaves * site.importance[lower:]
    return replace(site, high=max(site.high, 1.0), importance=importance)


def short(tau: float, levels: int) -> float:
    """The next tau for which theta / H has 20 significant bits.

    Then every sum of weighted spikes is exact in float64, however it is added up.
    """
    mantissa, exponent = math.frexp(tau / levels)
    return math.ldexp(math.ceil(mantissa * 2**20), exponent - 20) * levels


def full_scale(config: SpikeConfig) -> float:
    """The largest representable value of an MT neuron with tau = 1."""
    return MT(1.0, config.time_steps, config.levels, config.rounding).largest


def _least_error(
    site: SiteStatistics, config: SpikeConfig
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Gates that minimise the weighted squared error, each band filled to its full scale.

    The expected squared error of coding a value depends only on its size relative to the band's
    full scale. It is tabulated once, and the best gates for the weighted histogram of the site
    follow by dynamic programming over the bins.
    """
    scale = full_scale(config)
    top_value = config.margin * site.peak if site.peak else 1.0
    edges = bins.edges()
    top = int(np.searchsorted(edges, top_value))  # the outermost band ends at edges[top]
    if top >= len(edges):
        raise CalibrationError(f"activations of {site.peak:.3g} are too large to be coded")
    first = max(top - _SPAN, 0)
    weight = site.importance[first:top]
    error = _error_table(config.time_steps, config.levels, config.rounding, top % bins.PER_OCTAVE)
    size = top - first
    error = error[-size:, -size:]  # [end of the band, bin]
    prefix = np.concatenate([np.zeros((size, 1)), np.cumsum(error * weight, axis=1)], axis=1)
    # prefix[e, b]: cost of the bins below b in a band that ends at the upper edge of bin e
    whole = np.diagonal(prefix[:, 1:])
    best, choices = whole, []
    for _ in range(config.bands - 1):
        # [e, g]: the inner bands end with bin g, one more band goes from there to bin e
        cost = best[None, :] + whole[:, None] - prefix[:, 1:]
        cost[np.triu_indices(size)] = np.inf
        choices.append(cost.argmin(1))
        best = cost.min(1)
    gates: list[float] = []
    end = size - 1
    for choice in reversed(choices):
        end = int(choice[end])
        gates.insert(0, float(edges[first + end + 1]))
    ceilings = [*gates, float(edges[top])]
    return tuple(ceiling / scale for ceiling in ceilings), tuple(gates)


@lru_cache(maxsize=64)
def _error_table(time_steps: int, levels: int, rounding: Rounding, phase: int) -> Array:
    """Expected squared error, [band that ends at edge i + 1, bin], of the top `_SPAN` bins.

    In units of the square of 2^k where edges[top] = 2^k (1 + phase / PER_OCTAVE); the common
    factor does not move a minimum.
    """
    per = bins.PER_OCTAVE
    points = 8
    position = np.arange(_SPAN) - _SPAN + phase  # of each bin, relative to 2^k
    low = 2.0 ** (position // per) * (1 + (position % per) / per)
    width = 2.0 ** (position // per) / per
    x = low[:, None] + width[:, None] * (np.arange(points) + 0.5) / points
    ends = low + width
    neuron = OAT(
        (1 / MT(1.0, time_steps, levels, rounding).largest,), (), time_steps, levels, rounding
    )  # of full scale 1: the error only depends on x / end, but for a factor
    relative = torch.from_numpy(x.reshape(1, -1) / ends[:, None]).clamp_max(1)
    error = (code_oat(relative, neuron).value - relative).square()
    mean = error.view(_SPAN, _SPAN, points).mean(-1).numpy() * ends[:, None] ** 2
    return np.asarray(np.tril(mean))


def _percentile(
    site: SiteStatistics, config: SpikeConfig
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Bands filled to the 99th and the 99.9th percentile of the non-zero magnitudes."""
    gate, ceiling = (_quantile(site, share) for share in _PERCENTILES)
    scale = full_scale(config)
    return (gate / scale, max(ceiling, 1.1 * gate) / scale), (gate,)


def _quantile(site: SiteStatistics, share: float) -> float:
    """The end of the bin in which a share of the non-zero magnitudes is reached."""
    cumulative = np.cumsum(site.histogram)
    return float(bins.edges()[1 + int(np.searchsorted(cumulative, share * cumulative[-1]))])


def _paper(
    site: SiteStatistics, config: SpikeConfig
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """theta_nor at the 99th percentile of the non-zero magnitudes, theta_out at 1.1 maxima."""
    inner = _quantile(site, 0.99)
    return (inner, 1.1 * max(site.peak, inner)), (inner,)


def _released(
    site: SiteStatistics, config: SpikeConfig
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The literals of the paper's released code: 10 and 500; 200 and 700 before a norm."""
    inner, outer = (200.0, 700.0) if site.scale_free else (10.0, 500.0)
    return (inner, outer), (inner,)

"""Thresholds from histograms of magnitudes."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from las.baselines.methods import Method
from las.calibration.bins import LOW_EXPONENT, PER_OCTAVE, SUB_BITS
from las.errors import CalibrationError

_FIRST = -20
_LAST = 20
_BINS = (_LAST - _FIRST) * PER_OCTAVE
_FINER = 4
_PER_OCTAVE = 8
_QUANTILE = 0.99


class Magnitudes:
    """Histograms of |x| over the bins of `las.calibration.bins` from 2^-20 to 2^20.

    Attributes:
        counts: (channels, bins), of the whole tensor (1, bins); values beyond either end go to the
            end bins, zeros nowhere.
        zeros: (channels,) or (1,).
        largest: likewise.
    """

    def __init__(self, by_channel: bool) -> None:
        self.by_channel = by_channel
        self.counts = torch.zeros(0, _BINS)
        self.zeros = torch.zeros(0)
        self.largest = torch.zeros(0)

    def add(self, x: Tensor, name: str) -> None:
        """Add values.

        Arguments:
            x: (n, channels).
            name: what an error calls them.

        Raises:
            CalibrationError: NaN or infinite values.
        """
        x = x.detach().float().abs()
        if not self.by_channel:
            x = x.reshape(-1, 1)
        rows, channels = x.shape
        if not self.counts.numel():
            self.counts = torch.zeros(channels, _BINS, device=x.device)
            self.zeros = torch.zeros(channels, device=x.device)
            self.largest = torch.zeros(channels, device=x.device)
        if not rows:
            return
        largest = x.amax(0)
        if not bool(torch.isfinite(largest).all()):
            raise CalibrationError(f"NaN or infinite values at the input of {name}")
        bits = x.contiguous().view(torch.int32) >> (23 - SUB_BITS)
        index = (bits - ((127 + _FIRST) << SUB_BITS)).clamp_(0, _BINS - 1)
        index += torch.arange(channels, dtype=torch.int32, device=x.device) * _BINS
        seen = torch.bincount(index.view(-1), minlength=channels * _BINS).view(channels, _BINS)
        zeros = (x == 0).sum(0)
        seen[:, 0] -= zeros  # which were counted as the least values
        self.counts += seen
        self.zeros += zeros
        self.largest = torch.maximum(self.largest, largest)


def thresholds(seen: Magnitudes, method: Method) -> Tensor:
    """The threshold of each channel, or of the tensor, float32, positive.

    A channel that has been zero throughout gets the largest threshold of the others.

    Arguments:
        seen: in calibration.
        method: says the rule.
    """
    if method.thresholds == "maximum":
        chosen = seen.largest
    elif method.thresholds == "quantile":
        chosen = _quantile(seen)
    else:
        chosen = _least_error(seen, method)
    chosen = torch.where(seen.largest > 0, chosen, 0)
    top = float(chosen.max())
    return torch.where(chosen > 0, chosen, top if top > 0 else 1.0)


def _quantile(seen: Magnitudes) -> Tensor:
    """The upper border of the bin in which the quantile lies, or the largest value."""
    total = seen.zeros + seen.counts.sum(1)
    below = seen.zeros[:, None] + seen.counts.cumsum(1)
    index = (below < _QUANTILE * total[:, None]).sum(1).clamp(max=_BINS - 1)
    borders = _borders().to(seen.counts)
    return torch.minimum(borders[index + 1], seen.largest)


def _least_error(seen: Magnitudes, method: Method) -> Tensor:
    """The candidate with the least squared error of clipping and rounding."""
    candidates, errors = _errors(*levels_and_parts(method))
    return candidates.to(seen.counts)[(seen.counts @ errors.to(seen.counts)).argmin(1)]


def levels_and_parts(method: Method) -> tuple[int, float]:
    """How a constant input is quantised.

    Returns:
        the largest of the multiples that a neuron can emit in T time steps, and how many of them
        the threshold is.
    """
    averaged = method.time in ("instantaneous", "expectation")
    parts = method.time_steps if averaged else 1
    finest = method.neuron.finest
    return round(method.neuron.largest(method.time_steps) / finest), parts / finest


@lru_cache(maxsize=8)
def _errors(levels: int, parts: float) -> tuple[Tensor, Tensor]:
    """Candidates, eight in an octave, and the mean squared error of each in each bin, (bins, n).

    Arguments:
        levels: the largest of the multiples that a neuron can emit in T time steps.
        parts: how many of them the threshold is.
    """
    exponents = torch.arange(_FIRST * _PER_OCTAVE, _LAST * _PER_OCTAVE, dtype=torch.float64)
    candidates = 2 ** (exponents / _PER_OCTAVE)
    borders = _borders()
    step = candidates / parts
    errors = torch.zeros(_BINS, len(candidates), dtype=torch.float64)
    for part in range(_FINER):
        x = borders[:-1] + (borders[1:] - borders[:-1]) * (part + 0.5) / _FINER
        rounded = step * (x[:, None] / step + 0.5).floor().clamp(max=levels)
        errors += (x[:, None] - rounded) ** 2 / _FINER
    return candidates, errors.float()


def _borders() -> Tensor:
    from las.calibration.bins import edges

    first = (_FIRST - LOW_EXPONENT) * PER_OCTAVE
    return torch.from_numpy(edges()[first : first + _BINS + 1])

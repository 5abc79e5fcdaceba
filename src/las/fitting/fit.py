"""Fitting an HG neuron to a function: uniform samples, no data, N by the error budget.

Octave by octave, the number of equal sub-ranges is doubled until the sub-neurons meet the
budget. Each sub-neuron is fitted to M uniform samples of its sub-range (Section 4.1, "uniform
distribution D over the interval"): the spikes that code a sample are known, so that the best
slope is a linear least squares, and the offset is then centred between the extreme residuals. On
a sub-range of width w this leaves at most about |f''| w^2 / 16, beside the rounding of x.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from las.fitting.functions import Budget, Function
from las.neurons.fused import code_hg
from las.neurons.hg import HG, Octaves

Array = NDArray[np.float64]

SAMPLES = 96
MOST_SPLITS = 10
_SEED = 2025
_MARGIN = 0.9  # of the budget, on the samples; the dense grid lies between them
_POINTS = 67  # of the dense grid in each sub-range
_SMALLEST = -24  # exponent of the smallest central sub-range


@dataclass(frozen=True)
class Fit:
    """A fitted neuron and how well it does, measured on a dense grid disjoint from the samples.

    Attributes:
        neuron: the HG neuron.
        budget: what was asked for.
        met: whether every grid point of the calibrated range is within the budget.
        max_error: largest |f_hat - f| over the calibrated range.
        mean_error: mean |f_hat - f| over the calibrated range, octave by octave alike.
        max_relative_error: largest |f_hat - f| / |f| where |f| exceeds the absolute budget.
        mean_spikes: spikes per input, mean over the grid.
    """

    neuron: HG
    budget: Budget
    met: bool
    max_error: float
    mean_error: float
    max_relative_error: float
    mean_spikes: float


def fit(
    function: Function, low: float, high: float, time_steps: int, budget: Budget | None = None
) -> Fit:
    """Fit an HG neuron to `function` on [low, high].

    Arguments:
        function: what to approximate.
        low: lower end of the calibrated range.
        high: upper end of the calibrated range.
        time_steps: T of each sub-neuron.
        budget: error budget; the function's own by default.

    Returns:
        The neuron with the fewest dyadic sub-ranges that meets the budget, and its errors. A
        budget out of reach (T too small) is reported by `met`, never silently.

    Raises:
        ValueError: an empty or non-finite range, or one outside the function's domain.
    """
    budget = budget or function.budget
    check_range(function, low, high)
    sides = {
        sign: _fit_side(function, sign, low, high, time_steps, budget)
        for sign, unused in ((-1, "positive"), (1, "negative"))
        if function.inputs != unused
    }
    neuron = HG(
        function.name,
        time_steps,
        sides[-1].octaves if -1 in sides else None,
        sides[1].octaves if 1 in sides else None,
        np.concatenate([side.offset for side in sides.values()]),
        np.concatenate([side.slope for side in sides.values()]),
        low,
        high,
    )
    return measure(neuron, function, budget, neuron.sides)


def check_range(function: Function, low: float, high: float) -> None:
    """Raise ValueError if a range is empty or not finite, or outside the function's domain."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{function.name}: range [{low}, {high}] is empty or not finite")
    if (function.inputs == "positive" and low <= 0) or (function.inputs == "negative" and high > 0):
        raise ValueError(f"{function.name} takes {function.inputs} inputs, got [{low}, {high}]")


@dataclass(frozen=True)
class _Side:
    octaves: Octaves
    offset: Array
    slope: Array


def _fit_side(
    function: Function, sign: int, low: float, high: float, steps: int, budget: Budget
) -> _Side:
    """Sub-neurons for the inputs of one sign."""
    reach = high if sign > 0 else -low
    if reach <= 0:  # the calibrated range does not go there
        reach = 2.0**_SMALLEST
    highest = math.ceil(math.log2(reach)) + function.tail
    if function.inputs == "positive":
        lowest = math.floor(math.log2(low)) - function.head
    else:
        lowest = _central_octave(function, sign, highest, steps, budget)
    centre = 2.0**lowest
    if function.inputs == "positive":
        offsets, slopes = [values_of(function, np.array([centre]))], [np.zeros(1)]
    else:
        offset, slope, _ = _fit_cells(
            function, np.array([min(0.0, sign * centre)]), centre, steps, budget
        )
        offsets, slopes = [offset], [slope]
    splits = []
    for exponent in range(lowest, highest):
        split, offset, slope = _fit_octave(
            function, sign, exponent, steps, budget, 2.0**exponent < reach
        )
        splits.append(split)
        offsets.append(offset)
        slopes.append(slope)
    silent = sign < 0 and function.silent_below
    return _Side(
        Octaves(lowest, tuple(splits), silent), np.concatenate(offsets), np.concatenate(slopes)
    )


def _central_octave(function: Function, sign: int, highest: int, steps: int, budget: Budget) -> int:
    """The exponent e up to which one sub-neuron on [0, 2^e) meets the budget."""
    for exponent in range(_SMALLEST, highest):
        edge = np.array([min(0.0, sign * 2.0**exponent)])
        if _fit_cells(function, edge, 2.0**exponent, steps, budget)[2] > _MARGIN:
            return max(exponent - 1, _SMALLEST)
    return highest


def _fit_octave(
    function: Function, sign: int, exponent: int, steps: int, budget: Budget, calibrated: bool
) -> tuple[int, Array, Array]:
    """Split an octave until its sub-neurons meet the budget; beyond the range at most 5 times."""
    split = -1
    excess = math.inf
    while excess > _MARGIN and split < (MOST_SPLITS if calibrated else 5):
        split += 1
        width = 2.0 ** (exponent - split)
        magnitude = 2.0**exponent + width * np.arange(2**split)
        left = magnitude if sign > 0 else -(magnitude + width)
        offset, slope, excess = _fit_cells(function, left, width, steps, budget)
    return split, offset, slope


def _fit_cells(
    function: Function, left: Array, width: float, steps: int, budget: Budget
) -> tuple[Array, Array, float]:
    """Fit one sub-neuron on each [left, left + width).

    Returns:
        d(1) and slope of each, and the largest error in units of the budget.
    """
    rng = np.random.default_rng(_SEED)
    u = np.sort((np.arange(SAMPLES) + rng.uniform(size=SAMPLES)) / SAMPLES)  # in [0, 1)
    u = np.concatenate([[0.0], u, [np.nextafter(1.0, 0.0)]])
    code = binary_code(u, steps)
    f = values_of(function, left[:, None] + width * u)
    slope = np.zeros(len(left))
    if steps > 1:
        centred = code - code.mean()
        slope = f @ centred / (centred @ centred) / width
    # Inputs that share a code differ most at the two ends of what it stands for.
    u = np.concatenate([code, u, code + 2.0 ** (1 - steps)])
    f = values_of(function, left[:, None] + width * u)
    residual = f - slope[:, None] * width * np.tile(code, 3)
    offset = (residual.max(1) + residual.min(1)) / 2
    allowed = allowed_error(budget, f)
    error = np.abs(residual - offset[:, None])
    return offset, slope, float((error / np.maximum(allowed, 1e-300)).max())


def allowed_error(budget: Budget, f: Array) -> Array:
    """The error that a budget allows at each value of f."""
    with np.errstate(over="ignore"):  # more than there are numbers allows everything
        return np.maximum(budget.absolute, budget.relative * np.abs(f))


def values_of(function: Function, x: Array) -> Array:
    """f(x) in float64, the shape of x."""
    return function.evaluate(torch.from_numpy(np.ascontiguousarray(x))).numpy()


def binary_code(u: Array, steps: int) -> Array:
    """What the steps t = 2 .. T code of u in [0, 1): its first T - 1 binary digits."""
    scale = 2.0 ** (steps - 1)
    return np.floor(u * scale) / scale


def evaluate(neuron: HG, x: Array) -> tuple[Array, NDArray[np.int64]]:
    """f_hat(x) and the number of spikes of each input, in float64.

    Arguments:
        neuron: the HG neuron.
        x: inputs, shape (n,).
    """
    coded = code_hg(torch.from_numpy(np.ascontiguousarray(x)), neuron, count=True)
    assert coded.counts is not None
    return coded.value.numpy(), coded.counts.numpy().astype(np.int64)


def measure(
    neuron: HG, function: Function, budget: Budget, sides: Sequence[tuple[int, Octaves]]
) -> Fit:
    """How well a neuron does on a dense grid over the calibrated range.

    Arguments:
        neuron: the HG neuron.
        function: what it approximates.
        budget: what was asked for.
        sides: the octaves by which the grid goes: the neuron's own, where it has some.
    """
    worst = mean = worst_relative = spikes = 0.0
    met, ranges = True, 0
    for x in _dense_grid(sides, neuron.low, neuron.high):
        f = values_of(function, x)
        f_hat, counts = evaluate(neuron, x)
        error = np.abs(f_hat - f)
        met &= bool((error <= allowed_error(budget, f)).all())
        worst = max(worst, float(error.max()))
        mean += float(error.mean())
        nonzero = np.abs(f) > max(budget.absolute, 1e-300)
        if nonzero.any():
            relative = float((error[nonzero] / np.abs(f[nonzero])).max())
            worst_relative = max(worst_relative, relative)
        spikes += float(counts.mean())
        ranges += 1
    return Fit(neuron, budget, met, worst, mean / ranges, worst_relative, spikes / ranges)


def _dense_grid(sides: Sequence[tuple[int, Octaves]], low: float, high: float) -> Iterator[Array]:
    """Points of the calibrated range, octave by octave: `_POINTS` in each sub-range, no sample.

    Their number is odd, so that almost none has a finite binary code: T steps round them as they
    do any input. Where sub-ranges are so wide that the calibrated range holds few of their points,
    it has `_POINTS` of its own.
    """
    for sign, octaves in sides:
        inside = [x[(x >= low) & (x <= high)] for x in _points_of(sign, octaves)]
        found = [x for x in inside if len(x)]
        if sum(map(len, found)) < _POINTS:
            near, far = sorted(max(sign * end, 0.0) for end in (low, high))
            x = sign * (near + (far - near) * (np.arange(_POINTS) + 0.5) / _POINTS)
            found = [x] if near < far else []
        yield from found


def _points_of(sign: int, octaves: Octaves) -> Iterator[Array]:
    """Points of the central sub-range and of each octave of one side."""
    borders = [0.0, *(2.0 ** (octaves.lowest + i) for i in range(len(octaves.splits) + 1))]
    for i, (a, b) in enumerate(pairwise(borders)):
        cells = 1 if i == 0 else 2 ** octaves.splits[i - 1]
        count = _POINTS * cells
        x = a + (b - a) * (np.arange(count) + 0.5) / count
        ends = a + (b - a) * np.arange(1, cells + 1) / cells
        yield sign * np.concatenate([x, ends * (1 - 1e-12)])

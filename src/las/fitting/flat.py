"""Fitting one FS neuron to a function over its whole range: what HG's hierarchy is there against.

It is an HG neuron of one sub-range, so that no gate decides and N = 1: its first step always fires,
and the other T - 1 code x in binary from `start` to `start` + w, saturating beyond. It is therefore
a straight line between two constants, with every theta(t), h(t) and d(t) bound to start, width,
offset and slope. An FS neuron whose 3 T parameters are all free could bend more; the closed form of
the fused path, offset + slope * code, has no place for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from las.fitting.fit import (
    SAMPLES,
    Array,
    Fit,
    allowed_error,
    binary_code,
    check_range,
    measure,
    values_of,
)
from las.fitting.functions import Budget, Function
from las.neurons.hg import HG, Octaves

_SEED = 2025
_NARROWEST = -4  # exponent of the narrowest sub-range
_PLACES = 8  # starts in each width
_WIDTHS = 2  # how far from zero a sub-range may begin or end, in widths


class _Line(NamedTuple):
    loss: float
    octaves: Octaves
    offset: float
    slope: float


def fit_flat(
    function: Function, low: float, high: float, time_steps: int, budget: Budget | None = None
) -> Fit:
    """Fit one FS neuron to `function` on [low, high].

    Of all sub-ranges with a width that is a power of two, and a start that is a multiple of an
    eighth of it, the one with the least squared error, in units of the budget, on uniform samples
    of every octave, as many in each; offset and slope follow by least squares. It starts half of
    theta(T) earlier, so that inputs are rounded to the nearest code, and zero is no border of two.
    A function that is silent below its range keeps d(1) = 0: masked entries stay silent.

    Arguments:
        function: what to approximate.
        low: lower end of the calibrated range.
        high: upper end of the calibrated range.
        time_steps: T.
        budget: the unit of errors; the function's own by default.

    Returns:
        The neuron, N = 1, and its errors.

    Raises:
        ValueError: an empty or non-finite range, or one outside the function's domain.
    """
    budget = budget or function.budget
    check_range(function, low, high)
    sides = tuple(_octaves(low, high))
    x = _samples(sides, low, high)
    lines = _lines(function, x, low, high, time_steps, budget)
    best = min(lines, key=lambda line: line.loss)
    neuron = HG(
        function.name,
        time_steps,
        None,
        best.octaves,
        np.array([best.offset]),
        np.array([best.slope]),
        low,
        high,
    )
    return measure(neuron, function, budget, sides)


def _octaves(low: float, high: float) -> Iterator[tuple[int, Octaves]]:
    """The sign and the octaves of each side of a range, from 1 on or from its near end."""
    for sign in (-1, 1):
        near, far = sorted(max(sign * end, 0.0) for end in (low, high))
        if near < far:
            highest = math.ceil(math.log2(far))
            lowest = min(math.floor(math.log2(near)) if near else 0, highest - 1)
            yield sign, Octaves(lowest, (0,) * (highest - lowest))


def _samples(sides: tuple[tuple[int, Octaves], ...], low: float, high: float) -> Array:
    """Uniform samples of every octave that lies in a range."""
    rng = np.random.default_rng(_SEED)
    parts = []
    for sign, octaves in sides:
        for left, right in zip(octaves.edges, octaves.edges[1:], strict=False):
            ends = np.clip([sign * left, sign * right], low, high)
            u = (np.arange(SAMPLES) + rng.uniform(size=SAMPLES)) / SAMPLES
            if ends[0] != ends[1]:
                parts.append(ends[0] + (ends[1] - ends[0]) * u)
    return np.concatenate(parts)


def _lines(
    function: Function, x: Array, low: float, high: float, steps: int, budget: Budget
) -> Iterator[_Line]:
    """The best line of every sub-range."""
    f = values_of(function, x)
    weight = 1 / np.maximum(allowed_error(budget, f), 1e-300) ** 2
    weight /= weight.sum()
    for exponent in range(_NARROWEST, math.ceil(math.log2(high - low)) + 1):
        width = 2.0**exponent
        for place in range(-_WIDTHS * _PLACES, _PLACES + 1):
            start = width * (place / _PLACES - 2.0**-steps)
            if start >= high or start + width <= low:
                continue
            code = binary_code(np.clip((x - start) / width, 0, np.nextafter(1.0, 0.0)), steps)
            means = (0.0, 0.0) if function.silent_below else (weight @ code, weight @ f)
            centred = code - means[0]
            spread = float(weight @ centred**2)
            rise = float((weight * centred) @ (f - means[1])) / spread if spread else 0.0
            offset = float(means[1] - rise * means[0])
            loss = float(weight @ (f - offset - rise * code) ** 2)
            yield _Line(loss, Octaves(exponent, start=start), offset, rise / width)

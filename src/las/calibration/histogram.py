"""What calibration takes note of in one tensor, in one pass over it."""

from __future__ import annotations

from typing import Any

import numpy as np

from las.neurons.compile import Kernel, take

_PARTS = 8


def magnitude_histogram(
    x: Any, bits: Any, weights: Any, rows: Any, low_exponent: int, sub_bits: int, bins: int
) -> tuple[Any, Any, Any]:
    """Extremes, moments, and the histogram of |x| over dyadic bins, plain and weighted.

    Arguments:
        x: values, (n, c) float32.
        bits: the same memory as int32, (n, c).
        weights: weight of each column, (c,).
        rows: weight of each row, (n,); empty where all rows and columns weigh 1.
        low_exponent: exponent of the lowest octave.
        sub_bits: each octave has 2^sub_bits bins.
        bins: number of bins; values beyond either end go to the end bins.

    Returns:
        Counts, (bins,); weighted counts, (bins,); and count, smallest, largest, sum, sum of
        squares, number of -inf, and number of NaN or +inf, (7,). Zeros are in no bin; values that
        are not finite are in no other figure.
    """
    plain, figures = np.zeros((_PARTS, bins)), np.zeros((_PARTS, 7))
    heavy = np.zeros((_PARTS, bins if rows.shape[0] else 0))
    base = (127 + low_exponent) << sub_bits
    _count.choose(x.size)(x, bits, weights, rows, base, sub_bits, plain, heavy, figures)
    summary = figures.sum(0)
    summary[1], summary[2] = figures[:, 1].min(), figures[:, 2].max()
    counts = plain.sum(0)
    return counts, heavy.sum(0) if rows.shape[0] else counts, summary


def _count_parts(  # type: ignore[no-untyped-def]
    counter, x, bits, weights, rows, base, sub_bits, plain, heavy, figures
):
    """Fill in the figures of each part of the rows.

    Arguments:
        counter: see `Kernel`.
        base: the bits of the lowest bin's lower border, without those that no bin looks at.
        plain: counts, zeros, (parts, bins).
        heavy: weighted counts, zeros, (parts, bins), or (parts, 0) where all weigh 1.
        figures: see `magnitude_histogram`, (parts, 7).
        x, bits, weights, rows, sub_bits: see `magnitude_histogram`.
    """
    parts, bins = plain.shape
    n, c = x.shape
    weighed = rows.shape[0] > 0
    for _ in range(parts):
        part = take(counter)
        if part >= parts:
            break
        low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
        masked, broken, zeros, others = 0, 0, 0, 0
        for r in range(part * n // parts, (part + 1) * n // parts):
            for j in range(c):
                word = bits[r, j] & 0x7FFFFFFF
                if word == 0:
                    zeros += 1
                    continue
                value = x[r, j]
                if word >= 0x7F800000:
                    if value == -np.inf:
                        masked += 1
                    else:
                        broken += 1
                    continue
                others += 1
                low = min(low, value)
                high = max(high, value)
                total += value
                squares += np.float64(value) * value
                index = min(max((word >> (23 - sub_bits)) - base, 0), bins - 1)
                plain[part, index] += 1
                if weighed:
                    heavy[part, index] += weights[j] * rows[r]
        if zeros:
            low, high = min(low, 0.0), max(high, 0.0)
        figures[part] = np.array([zeros + others, low, high, total, squares, masked, broken])


_count = Kernel.of(_count_parts)

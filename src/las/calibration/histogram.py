"""What calibration takes note of in one tensor, in one pass over it."""

from __future__ import annotations

import numpy as np
from numba import prange

from las.neurons.compile import Kernel


def _magnitude_histogram(x, bits, weights, rows, low_exponent, sub_bits, bins):  # type: ignore[no-untyped-def]
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
    parts = 8
    plain = np.zeros((parts, bins))
    heavy = np.zeros((parts, bins))
    figures = np.zeros((parts, 7))
    n, c = x.shape
    base = (127 + low_exponent) << sub_bits
    weighed = rows.shape[0] > 0
    for part in prange(parts):
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
    summary = figures.sum(0)
    summary[1] = figures[:, 1].min()
    summary[2] = figures[:, 2].max()
    return plain.sum(0), heavy.sum(0) if weighed else plain.sum(0), summary


magnitude_histogram = Kernel.of(_magnitude_histogram)

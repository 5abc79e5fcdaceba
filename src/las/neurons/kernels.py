"""Compiled kernels of the fused path on the CPU: one read and one write per tensor.

They work through a tensor tile by tile, so that the T steps of a tile run in the first-level
cache. Each takes the decisions of its step simulator with the same arithmetic; what it leaves out
is the spikes themselves, of which only the d-weighted sum and, on request, the number is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numba import njit, prange

TILE = 1024
SMALL = 2**15


def _code_oat(x, y, counts, totals, gates, units, largest, spacing, raised, silent, start, levels):  # type: ignore[no-untyped-def]
    """Sum over T of the weighted spikes of an OAT neuron.

    Arguments:
        x: inputs, (n,).
        y: outputs, (n,).
        counts: spikes of each input, int8 (n,), or empty where nobody counts.
        totals: spikes and out-of-range inputs of each tile, int64 (tiles, 2).
        gates: magnitudes that divide the bands, (bands - 1,).
        units: delta = theta(T)/H of each band, (bands,), float64.
        largest: the largest representable value.
        spacing, raised, silent: `mt.Thresholds` of each step, (T,).
        start: what is added to |v(1)|.
        levels: H.
    """
    kind = x.dtype.type
    n = x.shape[0]
    top = kind(2 * levels - 1)
    bottom = kind(levels)
    zero = kind(0)
    for tile in prange((n + TILE - 1) // TILE):
        lo = tile * TILE
        size = min(TILE, n - lo)
        v = np.empty(TILE, x.dtype)
        total = np.zeros(TILE, x.dtype)
        unit = np.full(TILE, kind(units[0]), x.dtype)
        inverse = np.full(TILE, kind(1 / units[0]), x.dtype)
        peak = zero
        for i in range(size):
            v[i] = abs(x[lo + i])
            peak = max(peak, v[i])
        if peak == zero:
            for i in range(size):
                y[lo + i] = x[lo + i]
            if counts.shape[0]:
                counts[lo : lo + size] = 0
            continue
        for b in range(gates.shape[0]):
            if peak < kind(gates[b]):
                break
            here, there = kind(units[b + 1]), kind(1 / units[b + 1])
            border = kind(gates[b])
            for i in range(size):
                unit[i] = here if v[i] >= border else unit[i]
                inverse[i] = there if v[i] >= border else inverse[i]
        out = 0
        for i in range(size):
            out += v[i] > largest
            v[i] = v[i] * inverse[i] + kind(start)
        fired = np.zeros(TILE, np.int8)
        for t in range(spacing.shape[0]):
            gap, per_gap = kind(spacing[t]), kind(1 / spacing[t])
            lift, base = kind(raised[t]), kind(silent[t])
            for i in range(size):
                level = min(max(np.floor((v[i] + lift) * per_gap), bottom), top)
                level = level if v[i] >= base else zero
                v[i] -= level * gap
                total[i] += level * gap
                fired[i] += level > zero
        if counts.shape[0]:
            spikes = 0
            for i in range(size):
                counts[lo + i] = fired[i]
                spikes += fired[i]
            totals[tile, 0] = spikes
            totals[tile, 1] = out
        for i in range(size):
            value = np.copysign(total[i] * unit[i], x[lo + i])
            y[lo + i] = value if x[lo + i] == x[lo + i] else x[lo + i]


def _code_hg(  # type: ignore[no-untyped-def]
    x,
    bits,
    y,
    counts,
    totals,
    lowest,
    starts,
    splits,
    silent,
    below,
    above,
    table,
    steps,
    low,
    high,
):
    """Sum over T of the weighted spikes of an HG neuron: the closed form of its FS recursion.

    The T - 1 binary steps code floor((x - lambda) 2^(T-1) / w); the sub-neuron's index is read
    off the exponent and the leading mantissa bits of x. A spike of weight zero is not emitted.

    Arguments:
        x: inputs, (n,).
        bits: the same memory as integers, (n,).
        y: outputs, (n,).
        counts: spikes of each input, int8 (n,), or empty where nobody counts.
        totals: spikes and out-of-range inputs of each tile, int64 (tiles, 2).
        lowest: lowest octave of the negative and the positive inputs, (2,).
        starts: index of the central sub-neuron and of each octave's first one, (2, octaves + 1).
        splits: the octaves' splits, (2, octaves), -1 past the last octave.
        silent: whether a sign is silent beyond its last octave, (2,).
        below: whether there are sub-ranges for inputs below zero.
        above: whether there are sub-ranges for the others.
        table: lambda, 2^(T-1)/w, d(1), slope * w / 2^(T-1) of each sub-neuron, (N, 4).
        steps: T.
        low: lower end of the calibrated range.
        high: upper end of the calibrated range.
    """
    kind = x.dtype.type
    n = x.shape[0]
    mantissa = 23 if x.itemsize == 4 else 52
    bias = 127 if x.itemsize == 4 else 1023
    magnitude = 0x7FFFFFFF if x.itemsize == 4 else 0x7FFFFFFFFFFFFFFF
    most = kind(2.0 ** (steps - 1) - 1)
    zero = kind(0)
    octaves = splits.shape[1]
    for tile in prange((n + TILE - 1) // TILE):
        lo = tile * TILE
        spikes = 0
        out = 0
        for i in range(lo, min(lo + TILE, n)):
            value = x[i]
            out += ((value < low) & (value != -np.inf)) | (value > high)
            sign = 0 if (value < zero and below) or not above else 1
            word = bits[i] & magnitude
            octave = int(word >> mantissa) - bias - lowest[sign]
            quiet = False
            if octave < 0:
                index = starts[sign, 0]
            else:
                if octave >= octaves or splits[sign, octave] < 0:
                    quiet = silent[sign]
                    index = starts[sign, octaves + 1]
                else:
                    split = splits[sign, octave]
                    inside = int((word >> (mantissa - split)) & ((1 << split) - 1))
                    index = starts[sign, octave + 1] + inside
            if quiet:
                y[i] = zero
                if counts.shape[0]:
                    counts[i] = 0
                continue
            code = np.floor((value - table[index, 0]) * table[index, 1])
            code = min(max(code, zero), most)
            y[i] = table[index, 2] + table[index, 3] * code
            if value != value:
                y[i] = value
            if counts.shape[0]:
                fired = int(table[index, 2] != zero)
                if table[index, 3] != zero:
                    ones = min(
                        np.int64(code), (1 << (steps - 1)) - 1
                    )  # count its bits pair by pair
                    ones -= (ones >> 1) & 0x55555555
                    ones = (ones & 0x33333333) + ((ones >> 2) & 0x33333333)
                    ones = (ones + (ones >> 4)) & 0x0F0F0F0F
                    fired += ((ones * 0x01010101) & 0xFFFFFFFF) >> 24
                counts[i] = fired
                spikes += fired
        if counts.shape[0]:
            totals[tile, 0] = spikes
            totals[tile, 1] = out


@dataclass(frozen=True)
class Kernel:
    """A kernel compiled twice: for one thread, and for as many as torch uses."""

    serial: Callable[..., Any]
    parallel: Callable[..., Any]

    def choose(self, size: int) -> Callable[..., Any]:
        """The build for a tensor of `size` elements; threads do not pay for a small one."""
        threads = torch.get_num_threads()
        if size < SMALL or threads == 1:
            return self.serial
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        return self.parallel

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Kernel:
        """Compile when first called; later processes find the machine code in the cache."""
        return cls(
            njit(cache=True, error_model="numpy")(function),
            njit(cache=True, parallel=True, error_model="numpy")(function),
        )


def _survey(x, bits, weights, rows, low_exponent, sub_bits, bins):  # type: ignore[no-untyped-def]
    """Extremes, moments, and the histogram of |x| over dyadic bins, plain and weighted.

    Arguments:
        x: values, (n, c) float32.
        bits: the same memory as int32, (n, c).
        weights: weight of each column, (c,).
        rows: weight of each row, (n,).
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
                heavy[part, index] += weights[j] * rows[r]
        if zeros:
            low, high = min(low, 0.0), max(high, 0.0)
        figures[part] = np.array([zeros + others, low, high, total, squares, masked, broken])
    summary = figures.sum(0)
    summary[1] = figures[:, 1].min()
    summary[2] = figures[:, 2].max()
    return plain.sum(0), heavy.sum(0), summary


code_oat = Kernel.of(_code_oat)
code_hg = Kernel.of(_code_hg)
survey = Kernel.of(_survey)

"""Compiled kernels of the fused path on the CPU: one read and one write per tensor.

They work through a tensor in tiles that stay in the first-level cache while all T steps run over
them. Each takes the decisions of its step simulator with the same arithmetic; what it leaves out
is the spikes themselves, of which only the d-weighted sum and, on request, the number is kept.

All of them are in one file: numba's cache of compiled code looks at the file of a kernel only,
and would go on using an old build of what a kernel calls in another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from las.neurons.code_cache import compiled
from las.neurons.compile import Kernel, bits_of, mantissa_of, number_of, take
from las.neurons.encoding import digits_of
from las.neurons.tables import FINE

TILE = 1024
CHUNK = 2**14
"""Elements that one thread works through before it takes the next share."""
SHARE_OF_ROWS = 2**8
"""Rows that one thread sums before it takes the next share."""
GROUP = 2**12
"""Elements of whole rows that are worked on at a time where rows are short."""


_LEVELS = torch.arange(16, 32, device="cpu")
_DIGITS = np.int32((digits_of(_LEVELS) << 2 * (_LEVELS - 16)).sum(dtype=torch.int32).item())
"""Nonzero signed binary digits of the numbers of five binary digits, two bits for each."""


class Scratch(NamedTuple):
    """Memory that a thread works in.

    Attributes:
        potentials: membrane potentials and the like, (3, TILE).
        chosen: indices of sub-neurons, uint32 (TILE,).
        fired: numbers of spikes, and 256 times those of their digits, int32 (TILE,).
    """

    potentials: Any
    chosen: Any
    fired: Any


_inner = compiled()


@_inner
def _scratch(x):  # type: ignore[no-untyped-def]
    """Scratch memory for the work on x."""
    return Scratch(
        np.empty((3, TILE), x.dtype), np.empty(TILE, np.uint32), np.empty(TILE, np.int32)
    )


@compiled(fastmath={"reassoc", "nsz"})
def _sum(x):  # type: ignore[no-untyped-def]
    """Sum in the order that is fastest, the same one at every call."""
    total = x.dtype.type(0)
    for i in range(x.shape[0]):
        total += x[i]
    return total


@_inner
def _largest(bits, one, one_bits):  # type: ignore[no-untyped-def]
    """Maximum of some values; NaN if there is one; -inf if there is none.

    Compares integers, which vectorizes as comparing floats does not.

    Arguments:
        bits: the memory of the values as integers, (n,).
        one: room for one value, (1,).
        one_bits: the same memory as an integer, (1,).
    """
    kind = bits.dtype.type
    flip = kind(0x7FFFFFFF) if bits.itemsize == 4 else kind(0x7FFFFFFFFFFFFFFF)
    sign = kind(bits.itemsize * 8 - 1)
    one[0] = -np.inf
    best = kind(one_bits[0] ^ flip)
    for i in range(bits.shape[0]):
        ordered = kind(bits[i] ^ ((bits[i] >> sign) & flip))
        best = max(best, ordered)
    one_bits[0] = best ^ ((best >> sign) & flip)
    return one[0]


@_inner
def _oat_tile(x, bits, y, scratch, table, count):  # type: ignore[no-untyped-def]
    """Code one tile with OAT neurons.

    Arguments:
        x: inputs, (n,), n <= TILE.
        bits: the same memory as integers, (n,).
        y: outputs, (n,); other memory than x.
        scratch: `Scratch`; `fired` holds what each input has fired afterwards if anybody counts.
        table: `OATTable`.
        count: whether to count.

    Returns:
        Spikes, their digits, inputs that fire, and out-of-range inputs; 0 where nobody counts.
    """
    kind = x.dtype.type
    integer = bits.dtype.type
    magnitude = integer(0x7FFFFFFF) if x.itemsize == 4 else integer(0x7FFFFFFFFFFFFFFF)
    n = x.shape[0]
    zero = kind(0)
    fired = scratch.fired[:n]
    most = integer(0)
    for i in range(n):
        most = max(most, integer(bits[i] & magnitude))
    if most == 0:
        for i in range(n):
            y[i] = x[i]
        if count:
            fired[:] = 0
        return np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    v, first = scratch.potentials[0, :n], scratch.potentials[1, :n]
    unit = scratch.potentials[2, :n]
    out = np.int32(0)
    if count:
        largest = kind(table.largest)
        if largest > table.largest:  # rounded up: the number below it is the last one within
            largest = kind(np.nextafter(largest, zero))
        for i in range(n):
            out = np.int32(out + np.int32(abs(x[i]) > largest))
    finest, inverse = kind(table.units[0]), kind(1 / table.units[0])
    for i in range(n):
        unit[i] = finest
        v[i] = inverse
    for b in range(table.gates.shape[0]):
        here, inverse = kind(table.units[b + 1]), kind(1 / table.units[b + 1])
        gate = kind(table.gates[b])
        for i in range(n):
            # units grow with the bands; a minimum and a maximum vectorize, a choice would branch
            unit[i] = max(unit[i], here if abs(x[i]) >= gate else zero)
            v[i] = min(v[i], inverse if abs(x[i]) >= gate else kind(np.inf))
    start, saturated = kind(table.start), kind(table.saturated)
    for i in range(n):
        potential = abs(x[i]) * v[i] + start
        v[i] = saturated if potential > saturated else potential
    if not table.signed:
        for i in range(n):
            v[i] = np.floor(v[i] * kind(2)) * kind(0.5)  # see `mt.within_grid`
    for i in range(n):
        first[i] = v[i]
    if table.fine.shape[0]:
        _look_up(v, scratch.chosen[:n].view(np.int32), fired, table, count)
    else:
        if count:
            fired[:] = 0
        peak = max(number_of(most) * kind(1 / table.units[-1]), kind(table.inner)) + start
        leads = table.signed and table.leading > 0 and peak < kind(table.capped)
        if leads:
            _leading(v, fired, table, count, bits)
        _step_by_step(v, fired, table, count, table.leading if leads else 0)
    for i in range(n):
        y[i] = np.copysign((first[i] - v[i]) * unit[i], x[i])
    spikes, digits, active = np.int32(0), np.int32(0), np.int32(0)
    if count:
        for i in range(n):
            spikes = np.int32(spikes + np.int32(fired[i] & np.int32(0xFF)))
        for i in range(n):
            digits = np.int32(digits + np.int32(fired[i] >> np.int32(8)))
        for i in range(n):
            active = np.int32(active + np.int32(fired[i] != 0))
    return np.int64(spikes), np.int64(digits), np.int64(active), np.int64(out)


@_inner
def _look_up(v, place, fired, table, count):  # type: ignore[no-untyped-def]
    """Fire all time steps, two look-ups for all of them (see `tables.spike_sums`).

    Arguments:
        v: membrane potentials in units of delta, of which what is left remains, (n,).
        place: room for indices, int32 (n,).
        fired: spikes and digits, if anybody counts, (n,).
        table: `OATTable`.
        count: whether to count.
    """
    kind = v.dtype.type
    zero, lift, grain = kind(0), kind(table.lift), kind(2**FINE)
    last = np.int32(table.coarse.shape[0] - 1)
    for i in range(v.shape[0]):
        raised = (v[i] + lift) * kind(1 / 2**FINE)
        place[i] = min(np.int32(raised if raised > zero else zero), last)  # NaN fires nothing
    for i in range(v.shape[0]):  # look-ups are loops of their own, as in `_hg_tile`
        place[i] = table.coarse[np.uintp(place[i])]
    if count:
        for i in range(v.shape[0]):
            fired[i] = place[i] >> np.int32(16)
    last = np.int32(table.fine.shape[0] - 1)
    for i in range(v.shape[0]):
        v[i] -= kind(place[i] & np.int32(0xFFFF)) * grain
        raised = (v[i] + lift) * kind(2)
        place[i] = min(np.int32(raised if raised > zero else zero), last)
    for i in range(v.shape[0]):
        place[i] = table.fine[np.uintp(place[i])]
    if count:
        for i in range(v.shape[0]):
            fired[i] += place[i] >> np.int32(16)
    for i in range(v.shape[0]):
        v[i] -= kind(place[i] & np.int32(0xFFFF))


@_inner
def _leading(v, fired, table, count, bits):  # type: ignore[no-untyped-def]
    """Fire the first time steps of "signed", a round for each spike (see `tables.leading_steps`).

    Arguments:
        v: membrane potentials in units of delta, none of which the first step caps, (n,).
        fired: spikes and digits so far, (n,).
        table: `OATTable`.
        count: whether to count.
        bits: any array of integers as wide as v.
    """
    kind, integer = v.dtype.type, bits.dtype.type
    zero = kind(0)
    mantissa = mantissa_of(v)
    split, tail = mantissa - table.split, mantissa - 4
    fraction = integer((1 << mantissa) - 1)
    border = integer((table.levels << split) & fraction)
    coarse, fine = integer(1 << split), integer(1 << (split - 1))
    half_coarse, half_fine = integer(coarse >> 1), integer(fine >> 1)
    least = kind(table.least)
    for _ in range(table.rounds):
        for i in range(v.shape[0]):
            size = bits_of(abs(v[i]))
            many = integer(size & fraction) >= border
            raised = integer(size + (half_coarse if many else half_fine))
            spike = integer(raised & (integer(-coarse) if many else integer(-fine)))
            fires = abs(v[i]) >= least
            if count:
                fired[i] += np.int32(_one_spike(spike, tail) & -np.int32(fires))
            v[i] -= np.copysign(number_of(spike), v[i]) if fires else zero


@_inner
def _one_spike(spike, tail):  # type: ignore[no-untyped-def]
    """One spike and 256 times the nonzero signed binary digits of its level, int32.

    Arguments:
        spike: the bits of its level, or of that times a power of two. A level has five binary
            digits at most; the first one is implied.
        tail: how many bits follow these.
    """
    place = np.int32(np.int32(spike >> (tail - 1)) & np.int32(30))  # twice the four bits
    digits = np.int32(np.int32(_DIGITS >> place) & np.int32(3))
    return np.int32(np.int32(1) + np.int32(digits << np.int32(8)))


@_inner
def _step_by_step(v, fired, table, count, done):  # type: ignore[no-untyped-def]
    """Fire the time steps after the first `done` ones; other arguments as for `_leading`."""
    kind = v.dtype.type
    tail = mantissa_of(v) - 4
    zero = kind(0)
    top, bottom = kind(2 * table.levels - 1), kind(table.levels)
    for t in range(done, table.steps.shape[0]):
        spacing, per_spacing = kind(table.steps[t, 0]), kind(1 / table.steps[t, 0])
        lift, silent = kind(table.steps[t, 1]), kind(table.steps[t, 2])
        if table.signed:
            for i in range(v.shape[0]):
                size = abs(v[i])
                level = np.floor(size * per_spacing)
                level += kind(1) if size - level * spacing >= lift else zero
                level = min(max(level, bottom), top)
                fires = size >= silent
                if count:
                    fired[i] += np.int32(_one_spike(bits_of(level), tail) & -np.int32(fires))
                v[i] -= np.copysign(level * spacing, v[i]) if fires else zero
        else:
            for i in range(v.shape[0]):
                level = min(max(np.floor((v[i] + lift) * per_spacing), bottom), top)
                fires = v[i] >= silent
                if count:
                    fired[i] += np.int32(_one_spike(bits_of(level), tail) & -np.int32(fires))
                v[i] -= level * spacing if fires else zero


@_inner
def _hg_tile(x, bits, y, scratch, table, count):  # type: ignore[no-untyped-def]
    """Evaluate f_hat on one tile by the closed form of the FS recursion.

    The T - 1 binary steps code floor((x - lambda) 2^(T-1) / w). A spike of weight zero is not
    emitted.

    Arguments:
        table: `HGTable`.
        x, bits, y, scratch, count: see `_oat_tile`.

    Returns:
        Spikes and out-of-range inputs; 0 where nobody counts.
    """
    kind = x.dtype.type
    integer = bits.dtype.type
    exponent = integer(0xFF) if x.itemsize == 4 else integer(0x7FF)
    mantissa = integer(23) if x.itemsize == 4 else integer(52)
    n = x.shape[0]
    zero = kind(0)
    chosen, codes = scratch.chosen[:n], scratch.potentials[0, :n]
    fired = scratch.fired[:n]
    fraction = integer((integer(1) << mantissa) - 1)
    sides = integer(table.octaves.shape[0] // 2)
    below, other = table.lowest[0], table.lowest[1]
    for i in range(n):
        negative = x[i] < zero
        octave = ((bits[i] >> mantissa) & exponent) - (below if negative else other)
        octave = min(max(octave, integer(0)), integer(sides - 1))
        chosen[i] = octave + (integer(0) if negative else sides)
    for i in range(n):  # look-ups are loops of their own: they would keep the others from vectors
        chosen[i] = table.octaves[np.uintp(chosen[i])]
    for i in range(n):
        second = (bits[i] & fraction) >> integer(chosen[i] & np.uint32(63))
        chosen[i] = (chosen[i] >> np.uint32(6)) + second
    left, per_width = table.sub_neurons[0], table.sub_neurons[1]
    offset, slope = table.sub_neurons[2], table.sub_neurons[3]
    most = kind(table.most)
    for i in range(n):
        sub = np.uintp(chosen[i])
        code = np.floor((x[i] - left[sub]) * per_width[sub])
        codes[i] = min(code if code > zero else zero, most)
    for i in range(n):
        sub = np.uintp(chosen[i])
        y[i] = x[i] if x[i] != x[i] else offset[sub] + slope[sub] * codes[i]
    if not count:
        return 0, 0
    spikes, out = np.int32(0), np.int32(0)
    low, high = kind(table.low), kind(table.high)
    for i in range(n):
        out = np.int32(out + np.int32(((x[i] < low) & (x[i] != -np.inf)) | (x[i] > high)))
    for i in range(n):
        chosen[i] = table.emits[np.uintp(chosen[i])]
    limit = np.uint32(table.most)
    for i in range(n):
        ones = min(np.uint32(codes[i]), limit) & (chosen[i] >> np.uint32(1))
        ones = np.uint32(ones - ((ones >> np.uint32(1)) & np.uint32(0x55555555)))
        pairs = (ones >> np.uint32(2)) & np.uint32(0x33333333)
        ones = np.uint32((ones & np.uint32(0x33333333)) + pairs)
        ones = np.uint32((ones + (ones >> np.uint32(4))) & np.uint32(0x0F0F0F0F))
        ones = np.uint32(ones * np.uint32(0x01010101)) >> np.uint32(24)
        fired[i] = 257 * np.int32(ones + (chosen[i] & np.uint32(1)))
    for i in range(n):
        spikes = np.int32(spikes + np.int32(fired[i] & np.int32(0xFF)))
    return np.int64(spikes), np.int64(out)


@_inner
def _oat(x, bits, y, counts, scratch, table, count):  # type: ignore[no-untyped-def]
    """Code any number of inputs with OAT neurons, tile by tile.

    Arguments:
        counts: what each input has fired (see `SpikeEncoding.packed`), int16 (n,), or empty where
            only the sums are asked for.
        x, bits, y, scratch, table, count: see `_oat_tile`.
    """
    spikes, digits, active, out = 0, 0, 0, 0
    for lo in range(0, x.shape[0], TILE):
        hi = min(lo + TILE, x.shape[0])
        s, d, a, o = _oat_tile(x[lo:hi], bits[lo:hi], y[lo:hi], scratch, table, count)
        spikes, digits, active, out = spikes + s, digits + d, active + a, out + o
        if count and counts.shape[0]:
            counts[lo:hi] = scratch.fired[: hi - lo]
    return spikes, digits, active, out


@_inner
def _hg(x, bits, y, counts, scratch, table, count):  # type: ignore[no-untyped-def]
    """Evaluate f_hat on any number of inputs, tile by tile; arguments as for `_oat`."""
    spikes, out = 0, 0
    for lo in range(0, x.shape[0], TILE):
        hi = min(lo + TILE, x.shape[0])
        s, o = _hg_tile(x[lo:hi], bits[lo:hi], y[lo:hi], scratch, table, count)
        spikes, out = spikes + s, out + o
        if count and counts.shape[0]:
            counts[lo:hi] = scratch.fired[: hi - lo]
    return spikes, out


def _code_oat(counter, x, bits, y, counts, totals, table):  # type: ignore[no-untyped-def]
    """Sum over T of the weighted spikes of an OAT neuron.

    Arguments:
        x: inputs, (n,).
        bits: the same memory as integers, (n,).
        y: outputs, (n,).
        counts: what each input has fired, int16 (n,), or empty where nobody counts.
        totals: see `_oat_tile`, of each share of the work, int64 (shares, 4).
        table: `OATTable`.
    """
    n = x.shape[0]
    count = counts.shape[0] > 0
    scratch = _scratch(x)
    for _ in range(totals.shape[0]):
        share = take(counter)
        if share >= totals.shape[0]:
            break
        lo, hi = share * CHUNK, min((share + 1) * CHUNK, n)
        totals[share] = _oat(x[lo:hi], bits[lo:hi], y[lo:hi], counts[lo:hi], scratch, table, count)


def _code_hg(counter, x, bits, y, counts, totals, table):  # type: ignore[no-untyped-def]
    """Sum over T of the weighted spikes of an HG neuron; arguments as for `_code_oat`.

    Its totals are spikes and out-of-range inputs, int64 (shares, 2).
    """
    n = x.shape[0]
    count = counts.shape[0] > 0
    scratch = _scratch(x)
    for _ in range(totals.shape[0]):
        share = take(counter)
        if share >= totals.shape[0]:
            break
        lo, hi = share * CHUNK, min((share + 1) * CHUNK, n)
        totals[share] = _hg(x[lo:hi], bits[lo:hi], y[lo:hi], counts[lo:hi], scratch, table, count)


@_inner
def _alike(silent, first, end):  # type: ignore[no-untyped-def]
    """How many rows from one on count like it, or count for nothing like it; those before `end`."""
    rows = 1
    while first + rows < end and silent[first + rows] == silent[first]:
        rows += 1
    return rows


def _gate(  # type: ignore[no-untyped-def]
    counter, x, x_bits, u, u_bits, y, totals, silent, function, neuron, count
):
    """The gated product f_hat(x) o phi(u) of Eq. 21.

    Arguments:
        x: inputs of the HG neurons, (n,), and the same memory as integers.
        u: inputs of the OAT neurons, (n,), likewise.
        y: outputs, (n,).
        totals: those of the HG and of the OAT neurons (see `_hg_tile` and `_oat_tile`) in each
            share of the work, int64 (shares, 6).
        silent: rows that count for nothing, uint8 (rows,), all of one width, or empty where all
            count.
        function: `HGTable`.
        neuron: `OATTable`.
        count: whether to count.
    """
    n = x.shape[0]
    width = n // silent.shape[0] if silent.shape[0] else n
    scratch = _scratch(x)
    gates, currents = np.empty(TILE, x.dtype), np.empty(TILE, x.dtype)
    for _ in range(totals.shape[0]):
        share = take(counter)
        if share >= totals.shape[0]:
            break
        lo, end = share * CHUNK, min((share + 1) * CHUNK, n)
        while lo < end:
            hi, counts = min(lo + TILE, end), count
            if count and silent.shape[0]:
                row = lo // width
                alike = _alike(silent, row, min((hi - 1) // width + 1, silent.shape[0]))
                hi, counts = min(hi, (row + alike) * width), silent[row] == 0
            g, c, product = gates[: hi - lo], currents[: hi - lo], y[lo:hi]
            s, o = _hg_tile(x[lo:hi], x_bits[lo:hi], g, scratch, function, counts)
            totals[share, 0] += s
            totals[share, 1] += o
            s, d, a, o = _oat_tile(u[lo:hi], u_bits[lo:hi], c, scratch, neuron, counts)
            totals[share, 2] += s
            totals[share, 3] += d
            totals[share, 4] += a
            totals[share, 5] += o
            for i in range(hi - lo):
                product[i] = g[i] * c[i]
            lo = hi


def _normalise(  # type: ignore[no-untyped-def]
    counter,
    x,
    bits,
    y,
    weight,
    bias,
    eps,
    centred,
    totals,
    silent,
    square,
    inverse_sqrt,
    before,
    after,
    count,
):
    """The norm of Eq. 14, a few tokens at a time.

    Arguments:
        x: (tokens, n).
        bits: the same memory as integers, (tokens, n).
        y: outputs, (tokens, n).
        weight: gamma, (n,), or empty.
        bias: beta, (n,), or empty.
        eps: epsilon.
        centred: whether the mean is subtracted.
        totals: those of the squares, of the inverse square roots, and of the OAT neurons before
            and after the product (see `_hg_tile` and `_oat_tile`) in each share of the work, int64
            (shares, 12).
        silent: tokens that count for nothing, uint8 (tokens,), or empty where all count.
        square: `HGTable`.
        inverse_sqrt: `HGTable`.
        before: `OATTable`.
        after: `OATTable`.
        count: whether to count.
    """
    tokens, n = x.shape
    kind = x.dtype.type
    shares = totals.shape[0]
    group = max(1, GROUP // n)
    scratch = _scratch(x)
    total = np.empty(12, np.int64)
    nobody = np.empty(0, np.int16)
    centre, coded = np.empty(group * n, x.dtype), np.empty(group * n, x.dtype)
    centre_bits = centre.view(bits.dtype)
    power, inverse = np.empty(group, x.dtype), np.empty(group, x.dtype)
    power_bits = power.view(bits.dtype)
    for _ in range(shares):
        share = take(counter)
        if share >= shares:
            break
        end = tokens * (share + 1) // shares
        start, rows = tokens * share // shares, 0
        while start + rows < end:
            start += rows
            rows, counts = min(group, end - start), count
            if count and silent.shape[0]:
                rows, counts = _alike(silent, start, start + rows), silent[start] == 0
            z, z_bits, e = centre[: rows * n], centre_bits[: rows * n], coded[: rows * n]
            for r in range(rows):
                token, part = x[start + r], z[r * n : (r + 1) * n]
                mean = _sum(token) / kind(n) if centred else kind(0)
                for i in range(n):
                    part[i] = token[i] - mean
            total[0], total[1] = _hg(z, z_bits, e, nobody, scratch, square, counts)
            for r in range(rows):
                power[r] = _sum(e[r * n : (r + 1) * n]) / kind(n) + kind(eps)
            total[2], total[3] = _hg(
                power[:rows], power_bits[:rows], inverse, nobody, scratch, inverse_sqrt, counts
            )
            total[4], total[5], total[6], total[7] = _oat(
                z, z_bits, e, nobody, scratch, before, counts
            )
            for r in range(rows):
                part, source = z[r * n : (r + 1) * n], e[r * n : (r + 1) * n]
                for i in range(n):
                    part[i] = source[i] * inverse[r]
            total[8], total[9], total[10], total[11] = _oat(
                z, z_bits, e, nobody, scratch, after, counts
            )
            totals[share] += total
            for r in range(rows):
                target, source = y[start + r], e[r * n : (r + 1) * n]
                if weight.shape[0]:
                    for i in range(n):
                        target[i] = source[i] * weight[i]
                else:
                    for i in range(n):
                        target[i] = source[i]
                if bias.shape[0]:
                    for i in range(n):
                        target[i] += bias[i]


@_inner
def _place(query, shape):  # type: ignore[no-untyped-def]
    """Indices (b, h, q) of a query's scores in a tensor of shape (B, H, queries, keys)."""
    row = query // shape[2]
    return row // shape[1], row % shape[1], query % shape[2]


@_inner
def _counts(query, first, counted, shape):  # type: ignore[no-untyped-def]
    """Whether a query counts; arguments as for `_place` and `_attend`."""
    b, h, q = _place(query, shape)
    return counted[min(b, counted.shape[0] - 1), min(h, counted.shape[1] - 1), first + q] != 0


def _attend(  # type: ignore[no-untyped-def]
    counter,
    scores,
    bits,
    allowed,
    ends,
    counted,
    first,
    scale,
    totals,
    exp,
    reciprocal,
    probability,
    count,
):
    """phi(softmax(scale * scores)) of Eq. 15, a few queries at a time, in place.

    Arguments:
        scores: (B, H, queries, keys).
        bits: the same memory as integers.
        allowed: which keys a query sees, (1 or B, 1 or H, all queries, all keys) as uint8.
        ends: one more than the last key that a query sees, (1 or B, 1 or H, all queries).
        counted: whether a query counts, (1 or B, 1 or H, all queries) as uint8.
        first: which of all queries comes first in `scores`.
        scale: weight of the scores.
        totals: for each share of the work, int64 (shares, 10): those of the exponentials, of the
            reciprocals (see `_hg_tile`) and of the probabilities (see `_oat_tile`); spikes of the
            reciprocals times the keys that each weighs; and pairs of a query and a key it sees.
        exp: `HGTable`.
        reciprocal: `HGTable`.
        probability: `OATTable`.
        count: whether to count.
    """
    queries = scores.shape[0] * scores.shape[1] * scores.shape[2]
    keys = scores.shape[3]
    kind = scores.dtype.type
    scale = kind(scale)
    silence = kind(-np.inf)
    shares = totals.shape[0]
    group = max(1, GROUP // keys)
    scratch = _scratch(scores)
    total = np.zeros(10, np.int64)
    nobody, weighing = np.empty(0, np.int16), np.empty(group, np.int16)
    currents, coded = np.empty(group * keys, scores.dtype), np.empty(group * keys, scores.dtype)
    current_bits = currents.view(bits.dtype)
    whole, inverse = np.empty(group, scores.dtype), np.empty(group, scores.dtype)
    whole_bits = whole.view(bits.dtype)
    one, borders = np.empty(1, scores.dtype), np.zeros(group + 1, np.int64)
    one_bits = one.view(bits.dtype)
    for _ in range(shares):
        share = take(counter)
        if share >= shares:
            break
        end = queries * (share + 1) // shares
        start, rows = queries * share // shares, 0
        while start + rows < end:
            start += rows
            rows, counts = min(group, end - start), count
            if count:  # queries that count and others go in groups of their own
                counts = _counts(start, first, counted, scores.shape)
                r = 1
                while r < rows and _counts(start + r, first, counted, scores.shape) == counts:
                    r += 1
                rows = r
            for r in range(rows):  # what they see lies one after the other in the scratch memory
                b, h, q = _place(start + r, scores.shape)
                bm, hm = min(b, allowed.shape[0] - 1), min(h, allowed.shape[1] - 1)
                seen = min(ends[bm, hm, first + q], keys)
                sees, source = allowed[bm, hm, first + q, :seen], scores[b, h, q, :seen]
                borders[r + 1] = borders[r] + seen
                z, z_bits = currents[borders[r] :], current_bits[borders[r] : borders[r + 1]]
                for i in range(seen):
                    z[i] = source[i] * scale if sees[i] else silence
                peak = _largest(z_bits, one, one_bits)
                if peak != silence:
                    for i in range(seen):
                        z[i] -= peak
            z, z_bits, e = currents[: borders[rows]], current_bits[: borders[rows]], coded
            total[0], total[1] = _hg(z, z_bits, e, nobody, scratch, exp, counts)
            for r in range(rows):
                whole[r] = _sum(e[borders[r] : borders[r + 1]])
            total[2], total[3] = _hg(
                whole[:rows], whole_bits[:rows], inverse, weighing, scratch, reciprocal, counts
            )
            for r in range(rows):
                part, source = z[borders[r] : borders[r + 1]], e[borders[r] : borders[r + 1]]
                for i in range(part.shape[0]):
                    part[i] = source[i] * inverse[r]
            total[4], total[5], total[6], total[7] = _oat(
                z, z_bits, e, nobody, scratch, probability, counts
            )
            total[8:] = 0
            for r in range(rows):
                b, h, q = _place(start + r, scores.shape)
                target, source = scores[b, h, q], e[borders[r] : borders[r + 1]]
                for i in range(source.shape[0]):
                    target[i] = source[i]
                target[source.shape[0] :] = kind(0)
                if counts:
                    bm, hm = min(b, allowed.shape[0] - 1), min(h, allowed.shape[1] - 1)
                    seen = np.int32(0)
                    for i in range(source.shape[0]):
                        seen = np.int32(seen + np.int32(allowed[bm, hm, first + q, i]))
                    total[8] += (weighing[r] & 0xFF) * seen
                    total[9] += seen
            totals[share] += total


def _sum_rows(counter, packed, silent, heard, sums):  # type: ignore[no-untyped-def]
    """What each row of neurons has fired.

    Arguments:
        packed: see `SpikeEncoding`, int16 (rows, n).
        silent: rows that count for nothing, uint8 (rows,), or empty where all count.
        heard: a copy of `packed` with zeros in silent rows, (rows, n); nobody fills it in where
            `silent` is empty.
        sums: spikes, their digits and inputs that fire, int64 (3, rows).
    """
    rows, n = packed.shape
    shares = -(-rows // SHARE_OF_ROWS)
    for _ in range(shares):
        share = take(counter)
        if share >= shares:
            break
        for r in range(share * SHARE_OF_ROWS, min((share + 1) * SHARE_OF_ROWS, rows)):
            if silent.shape[0]:
                if silent[r]:
                    heard[r, :] = 0
                    sums[:, r] = 0
                    continue
                for i in range(n):
                    heard[r, i] = packed[r, i]
            spikes, digits, active = np.int32(0), np.int32(0), np.int32(0)
            for i in range(n):
                spikes = np.int32(spikes + np.int32(packed[r, i] & np.int16(0xFF)))
                digits = np.int32(digits + np.int32(packed[r, i] >> np.int16(8)))
                active = np.int32(active + np.int32(packed[r, i] != 0))
            sums[0, r], sums[1, r], sums[2, r] = spikes, digits, active


@_inner
def last_seen(allowed, ends):  # type: ignore[no-untyped-def]
    """One more than the last key that each query sees.

    Arguments:
        allowed: (B, H, queries, keys) as uint8.
        ends: filled in, (B, H, queries).
    """
    for b in range(allowed.shape[0]):
        for h in range(allowed.shape[1]):
            for q in range(allowed.shape[2]):
                sees = allowed[b, h, q]
                end = sees.shape[0]
                while end > 0 and sees[end - 1] == 0:
                    end -= 1
                ends[b, h, q] = end


@_inner
def count_pairs(allowed, silent, of_query, of_key):  # type: ignore[no-untyped-def]
    """How many keys each query sees, and how many queries see each key.

    Arguments:
        allowed: (1 or B, H, queries, keys) as uint8.
        silent: queries that count for nothing, uint8 (B, queries).
        of_query: filled in, int64 (B, H, queries).
        of_key: filled in, int64 (B, H, keys).
    """
    keys = allowed.shape[3]
    sums = np.empty(keys, np.int32)
    for b in range(of_query.shape[0]):
        for h in range(allowed.shape[1]):
            sums[:] = 0
            for q in range(allowed.shape[2]):
                of_query[b, h, q] = 0
                if silent[b, q]:
                    continue
                sees, seen = allowed[min(b, allowed.shape[0] - 1), h, q], np.int32(0)
                for i in range(keys):
                    seen = np.int32(seen + np.int32(sees[i]))
                    sums[i] += np.int32(sees[i])
                of_query[b, h, q] = seen
            for i in range(keys):
                of_key[b, h, i] = sums[i]


code_oat = Kernel.of(_code_oat)
code_hg = Kernel.of(_code_hg)
gate = Kernel.of(_gate)
normalise = Kernel.of(_normalise)
attend = Kernel.of(_attend)
sum_rows = Kernel.of(_sum_rows)

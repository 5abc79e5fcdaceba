"""Neurons on a GPU, one for each element; the other kernels are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from las.neurons.encoding import Firing, SpikeEncoding, total
from las.neurons.gpu.tables import hg_tensors, oat_tensors
from las.neurons.hg import HG
from las.neurons.oat import OAT

ELEMENTS = 1024
"""That a program codes."""

UNFUSED = {"enable_fp_fusion": False}
"""No multiplication is fused with an addition."""

NUMBERS = ["T", "N", "OCTAVES"]
"""Of a neuron: no build of their own for those that are 1 or that 16 divides."""


@triton.jit
def _popcount(x):
    """The number of ones in each of some integers, int32."""
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    x = x + (x >> 8)
    return (x + (x >> 16)) & 0x3F


@triton.jit
def code_by_oat(x, steps, bands, scalars, whole, T, BANDS: tl.constexpr, COUNT: tl.constexpr):
    """Code x, float32, with OAT neurons (Eqs. 3-7): values, and what has fired (see `Firing`).

    The first steps go by leading bits (see `las.neurons.tables.leading_steps`).
    """
    magnitude = tl.abs(x)
    inverse = tl.load(bands + 1)
    unit = tl.load(bands + 2)
    for b in tl.static_range(1, BANDS):
        beyond = magnitude >= tl.load(bands + 3 * b)
        inverse = tl.where(beyond, tl.load(bands + 3 * b + 1), inverse)
        unit = tl.where(beyond, tl.load(bands + 3 * b + 2), unit)
    v = magnitude * inverse + tl.load(scalars)
    v = tl.where(v > tl.load(scalars + 1), tl.load(scalars + 1), v)  # NaN stays NaN, and silent
    signed = tl.load(whole + 5) > 0
    v = tl.where(signed, v, tl.floor(2 * v) / 2)  # see `las.neurons.mt.within_grid`
    first = v
    fired = tl.zeros(x.shape, tl.int32)
    done = tl.load(whole)
    capped = (v >= tl.load(scalars + 6)).to(tl.int32)
    done = tl.where(tl.max(capped, None) > 0, 0, done)
    coarse, fine = tl.load(whole + 2), tl.load(whole + 3)
    for _ in range(tl.where(done > 0, tl.load(whole + 1), 0)):
        size = tl.abs(v + tl.load(scalars + 4))
        bits = size.to(tl.int32, bitcast=True)
        grain = tl.where((bits & 0x7FFFFF) >= tl.load(whole + 4), coarse, fine)
        spike = (bits + tl.where(signed, grain >> 1, 0)) & -grain
        fires = size >= tl.load(scalars + 5)
        if COUNT:
            fired += tl.where(fires, _one_spike(spike), 0)
        v = tl.where(fires, v - _with_sign_of(spike, v), v)
    levels = tl.load(scalars + 2)
    for t in range(done, T):
        spacing, raised = tl.load(steps + 4 * t + 1), tl.load(steps + 4 * t + 2)
        size = tl.where(signed, tl.abs(v), v)
        level = tl.floor((size + tl.where(signed, 0.0, raised)) * tl.load(steps + 4 * t))
        level += (signed & (size - level * spacing >= raised)).to(tl.float32)
        level = tl.minimum(tl.maximum(level, levels), 2 * levels - 1)
        spike = (level * spacing).to(tl.int32, bitcast=True)
        fires = size >= tl.load(steps + 4 * t + 3)
        if COUNT:
            fired += tl.where(fires, _one_spike(spike), 0)
        v = tl.where(fires, v - _with_sign_of(spike, v), v)
    value = (first - v) * unit
    return _with_sign_of(value.to(tl.int32, bitcast=True), x), fired


@triton.jit
def _with_sign_of(bits, x):
    """A float32 that is not negative, given by its bits, with the sign of another one."""
    sign = x.to(tl.int32, bitcast=True) & -0x80000000
    return (bits | sign).to(tl.float32, bitcast=True)


@triton.jit
def _one_spike(bits):
    """One spike and 256 times the nonzero signed binary digits of its level.

    Arguments:
        bits: of its level, times a power of two: five binary digits at most, the first one implied.
    """
    level = ((bits >> 19) & 15) | 16
    return 1 + 256 * _popcount(level ^ (3 * level))


@triton.jit
def code_by_hg(x, lowest, octaves, sub_neurons, emits, scalars, OCTAVES, N, COUNT: tl.constexpr):
    """Evaluate f_hat (Eqs. 8-9) at x, float32: values, and what has fired (see `Firing`)."""
    bits = x.to(tl.int32, bitcast=True)
    negative = x < 0
    octave = ((bits >> 23) & 0xFF) - tl.where(negative, tl.load(lowest), tl.load(lowest + 1))
    octave = tl.minimum(tl.maximum(octave, 0), OCTAVES - 1)
    packed = tl.load(octaves + tl.where(negative, octave, octave + OCTAVES))
    chosen = (packed >> 6) + ((bits & 0x7FFFFF) >> (packed & 63))
    code = tl.floor((x - tl.load(sub_neurons + chosen)) * tl.load(sub_neurons + N + chosen))
    code = tl.minimum(tl.where(code > 0, code, 0.0), tl.load(scalars))
    value = tl.load(sub_neurons + 2 * N + chosen) + tl.load(sub_neurons + 3 * N + chosen) * code
    fired = tl.zeros(x.shape, tl.int32)
    if COUNT:
        mask = tl.load(emits + chosen)
        ones = _popcount(code.to(tl.int32) & ((mask >> 1) & 0x7FFFFFFF)) + (mask & 1)
        fired = 257 * ones
    return tl.where(x == x, value, x), fired


@triton.jit
def too_large(x, scalars):
    """Which inputs of OAT neurons are out of range."""
    return tl.abs(x) > tl.load(scalars + 3)


@triton.jit
def beyond(x, scalars):
    """Which inputs of HG neurons are out of range; -inf is a masked entry."""
    low, high = tl.load(scalars + 1), tl.load(scalars + 2)
    return ((x < low) & (x != -float("inf"))) | (x > high)


@triton.jit
def add(place, counts):
    """Add the sum of some counts to what a place holds."""
    tl.atomic_add(place, tl.sum(counts.to(tl.int64), 0), sem="relaxed")


@triton.jit
def add_firing(place, fired):
    """Add spikes, their digits and the inputs that fire to what three places hold."""
    add(place, fired & 0xFF)
    add(place + 1, fired >> 8)
    add(place + 2, (fired != 0).to(tl.int32))


@triton.jit(do_not_specialize=NUMBERS)
def _code_oat(
    x,
    y,
    packed,
    totals,
    steps,
    bands,
    scalars,
    whole,
    n,
    T,
    BANDS: tl.constexpr,
    COUNT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """OAT neurons, one for each element."""
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = places < n
    inputs = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    value, fired = code_by_oat(inputs, steps, bands, scalars, whole, T, BANDS, COUNT)
    tl.store(y + places, value.to(y.dtype.element_ty), mask=inside)
    if COUNT:
        tl.store(packed + places, fired.to(tl.int16), mask=inside)
        add_firing(totals, tl.where(inside, fired, 0))
        add(totals + 3, (inside & too_large(inputs, scalars)).to(tl.int32))


@triton.jit(do_not_specialize=NUMBERS)
def _code_hg(
    x,
    y,
    packed,
    totals,
    lowest,
    octaves,
    sub_neurons,
    emits,
    scalars,
    n,
    N,
    OCTAVES,
    COUNT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """HG neurons, one for each element."""
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = places < n
    inputs = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    value, fired = code_by_hg(
        inputs, lowest, octaves, sub_neurons, emits, scalars, OCTAVES, N, COUNT
    )
    tl.store(y + places, value.to(y.dtype.element_ty), mask=inside)
    if COUNT:
        tl.store(packed + places, fired.to(tl.int16), mask=inside)
        add(totals, tl.where(inside, fired & 0xFF, 0))
        add(totals + 1, (inside & beyond(inputs, scalars)).to(tl.int32))


def code_oat(x: Tensor, neuron: OAT, count: bool, stop: int | None) -> SpikeEncoding:
    """See `las.neurons.fused.code_oat`."""
    table = oat_tensors(neuron, stop, x.device)

    def launch(grid: Any, *memory: Any) -> None:
        steps, bands = len(table.steps), len(table.bands)
        _code_oat[grid](*memory, *table, x.numel(), steps, bands, count, ELEMENTS, **UNFUSED)

    value, packed, totals = _elementwise(launch, x, count, 4)
    if packed is None:
        return SpikeEncoding(value)
    *fired, outside = map(total, totals)
    return SpikeEncoding(value, packed, Firing(*fired), outside)


def code_hg(x: Tensor, neuron: HG, count: bool, stop: int | None) -> SpikeEncoding:
    """See `las.neurons.fused.code_hg`."""
    table = hg_tensors(neuron, stop, x.device)

    def launch(grid: Any, *memory: Any) -> None:
        octaves, size = len(table.octaves) // 2, table.sub_neurons.shape[1]
        _code_hg[grid](*memory, *table, x.numel(), size, octaves, count, ELEMENTS, **UNFUSED)

    value, packed, totals = _elementwise(launch, x, count, 2)
    if packed is None:
        return SpikeEncoding(value)
    spikes, outside = map(total, totals)
    return SpikeEncoding(value, packed, Firing.plain(spikes), outside)


def _elementwise(
    launch: Callable[..., None], x: Tensor, count: bool, columns: int
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Run an elementwise kernel over a tensor: values, what each has fired, and the totals."""
    x = x.detach().contiguous()
    value = torch.empty_like(x)
    packed = torch.empty(x.shape if count else (0,), dtype=torch.int16, device=x.device)
    totals = torch.zeros(columns, dtype=torch.int64, device=x.device)
    if x.numel():
        with torch.cuda.device_of(x):
            launch((triton.cdiv(x.numel(), ELEMENTS),), x, value, packed, totals)
    return value, packed if count else None, totals

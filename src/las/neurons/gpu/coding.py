"""Neurons on a GPU, one for each element; the other kernels are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from las.neurons.encoding import SpikeEncoding, total
from las.neurons.gpu.tables import hg_tensors, oat_tensors
from las.neurons.hg import HG
from las.neurons.oat import OAT

ELEMENTS = 1024
"""That a program codes."""

UNFUSED = {"enable_fp_fusion": False}
"""No multiplication is fused with an addition."""


@triton.jit
def _popcount(x):
    """The number of ones in each of some integers, int32."""
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    x = x + (x >> 8)
    return (x + (x >> 16)) & 0x3F


@triton.jit
def code_by_oat(
    x, steps, bands, scalars, T: tl.constexpr, BANDS: tl.constexpr, COUNT: tl.constexpr
):
    """Code x, float32, with OAT neurons (Eqs. 3-7): values and numbers of spikes."""
    magnitude = tl.abs(x)
    inverse = tl.load(bands + 1)
    unit = tl.load(bands + 2)
    for b in tl.static_range(1, BANDS):
        beyond = magnitude >= tl.load(bands + 3 * b)
        inverse = tl.where(beyond, tl.load(bands + 3 * b + 1), inverse)
        unit = tl.where(beyond, tl.load(bands + 3 * b + 2), unit)
    levels = tl.load(scalars + 2)
    v = magnitude * inverse + tl.load(scalars)
    v = tl.where(v > tl.load(scalars + 1), tl.load(scalars + 1), v)  # NaN stays NaN, and silent
    first = v
    fired = tl.zeros(x.shape, tl.int32)
    for t in range(T):
        spacing = tl.load(steps + 4 * t + 1)
        level = tl.floor((v + tl.load(steps + 4 * t + 2)) * tl.load(steps + 4 * t))
        level = tl.minimum(tl.maximum(level, levels), 2 * levels - 1)
        fires = v >= tl.load(steps + 4 * t + 3)
        v = tl.where(fires, v - level * spacing, v)
        if COUNT:
            fired += fires.to(tl.int32)
    value = (first - v) * unit
    sign = x.to(tl.int32, bitcast=True) & -0x80000000
    return (value.to(tl.int32, bitcast=True) | sign).to(tl.float32, bitcast=True), fired


@triton.jit
def code_by_hg(
    x, lowest, octaves, sub_neurons, emits, scalars, OCTAVES: tl.constexpr, N, COUNT: tl.constexpr
):
    """Evaluate f_hat (Eqs. 8-9) at x, float32: values and numbers of spikes."""
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
        fired = _popcount(code.to(tl.int32) & ((mask >> 1) & 0x7FFFFFFF)) + (mask & 1)
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
    tl.atomic_add(place, tl.sum(counts.to(tl.int64), 0))


@triton.jit
def _code_oat(
    x,
    y,
    counts,
    totals,
    steps,
    bands,
    scalars,
    n,
    T: tl.constexpr,
    BANDS: tl.constexpr,
    COUNT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """OAT neurons, one for each element."""
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = places < n
    inputs = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    value, fired = code_by_oat(inputs, steps, bands, scalars, T, BANDS, COUNT)
    tl.store(y + places, value.to(y.dtype.element_ty), mask=inside)
    if COUNT:
        tl.store(counts + places, fired.to(tl.int8), mask=inside)
        add(totals, tl.where(inside, fired, 0))
        add(totals + 1, (inside & too_large(inputs, scalars)).to(tl.int32))


@triton.jit
def _code_hg(
    x,
    y,
    counts,
    totals,
    lowest,
    octaves,
    sub_neurons,
    emits,
    scalars,
    n,
    N,
    OCTAVES: tl.constexpr,
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
        tl.store(counts + places, fired.to(tl.int8), mask=inside)
        add(totals, tl.where(inside, fired, 0))
        add(totals + 1, (inside & beyond(inputs, scalars)).to(tl.int32))


def code_oat(x: Tensor, neuron: OAT, count: bool, stop: int | None) -> SpikeEncoding:
    """See `las.neurons.fused.code_oat`."""
    table = oat_tensors(neuron, stop, x.device)

    def launch(grid: Any, *memory: Any) -> None:
        steps, bands = len(table.steps), len(table.bands)
        _code_oat[grid](*memory, *table, x.numel(), steps, bands, count, ELEMENTS, **UNFUSED)

    return _elementwise(launch, x, count)


def code_hg(x: Tensor, neuron: HG, count: bool, stop: int | None) -> SpikeEncoding:
    """See `las.neurons.fused.code_hg`."""
    table = hg_tensors(neuron, stop, x.device)

    def launch(grid: Any, *memory: Any) -> None:
        octaves, size = len(table.octaves) // 2, table.sub_neurons.shape[1]
        _code_hg[grid](*memory, *table, x.numel(), size, octaves, count, ELEMENTS, **UNFUSED)

    return _elementwise(launch, x, count)


def _elementwise(launch: Callable[..., None], x: Tensor, count: bool) -> SpikeEncoding:
    """Run an elementwise kernel over a tensor."""
    x = x.detach().contiguous()
    value = torch.empty_like(x)
    counts = torch.empty(x.shape if count else (0,), dtype=torch.int8, device=x.device)
    totals = torch.zeros(2, dtype=torch.int64, device=x.device)
    if x.numel():
        with torch.cuda.device_of(x):
            launch((triton.cdiv(x.numel(), ELEMENTS),), x, value, counts, totals)
    if not count:
        return SpikeEncoding(value)
    return SpikeEncoding(value, counts, total(totals[0]), total(totals[1]))

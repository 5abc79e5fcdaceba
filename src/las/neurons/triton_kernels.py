"""Kernels of the fused path on GPUs, in Triton: the same decisions as `kernels` takes on CPUs.

Tables come from `tables`, as they do there, and are arguments: one build serves all sites of a
model. Neuron arithmetic is float32, and no multiplication is fused with an addition, which would
change decisions in the last bit. What is counted is added up on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from las.neurons.encoding import SpikeEncoding, total
from las.neurons.hg import HG
from las.neurons.oat import OAT
from las.neurons.tables import hg_table, oat_table

ELEMENTS = 1024
"""That a program codes."""

UNFUSED = {"enable_fp_fusion": False}
"""No multiplication is fused with an addition."""

ATTENDING = {"num_stages": 1, "num_warps": 8}
"""Attention's loops hold gathers, which are not to be pipelined, and much in registers."""

PRECISION = "tf32x3" if torch.version.hip is None else "ieee"
"""Of products of float32 blocks: as good as float32 but for the last bit, on tensor cores."""

WIDEST = 512
"""Bytes of a head's vector, filled up to a power of two, that `attend` has shared memory for."""


_CHANGING = [
    *("queries", "keys"),
    *("allowed_b", "allowed_h", "allowed_l", "allowed_s"),
    *("bias_b", "bias_h", "bias_l", "bias_s"),
    *("counted_b", "counted_h", "counted_l"),
]
"""Numbers that change from token to token: no build of their own for those that 16 divides."""


class OATTensors(NamedTuple):
    """An OAT neuron on a device.

    Attributes:
        steps: 1/spacing, spacing, raise_by and silent_below of each step, (T, 4).
        bands: gate, 1/delta and delta of each band, (bands, 3); the first gate is 0.
        scalars: start, saturated, levels and the largest value, (4,).
    """

    steps: Tensor
    bands: Tensor
    scalars: Tensor


class HGTensors(NamedTuple):
    """An HG neuron on a device; see `HGTable`.

    Attributes:
        lowest: (2,) int32.
        octaves: (2 * octaves,) int32.
        sub_neurons: (4, N) float32.
        emits: (N,) int32.
        scalars: the largest code, and both ends of the calibrated range, (3,) float32.
    """

    lowest: Tensor
    octaves: Tensor
    sub_neurons: Tensor
    emits: Tensor
    scalars: Tensor


@lru_cache(maxsize=2**14)
def oat_tensors(neuron: OAT, stop: int | None, device: torch.device) -> OATTensors:
    """An OAT neuron, stopped after the first `stop` of its T time steps."""
    table = oat_table(neuron, stop)
    steps = [[1 / spacing, spacing, *rest] for spacing, *rest in table.steps.tolist()]
    units = table.units.tolist()
    bands = [[gate, 1 / unit, unit] for gate, unit in zip([0.0, *table.gates], units, strict=True)]
    scalars = [table.start, table.saturated, float(table.levels), _largest(table.largest)]
    return OATTensors(
        *(torch.tensor(x, dtype=torch.float32, device=device) for x in (steps, bands, scalars))
    )


@lru_cache(maxsize=256)
def hg_tensors(neuron: HG, stop: int | None, device: torch.device) -> HGTensors:
    """An HG neuron, stopped after its first `stop` time steps."""
    table = hg_table(neuron, torch.float32, stop)
    integers = [table.lowest, table.octaves.view("int32"), table.emits.view("int32")]
    lowest, octaves, emits = (torch.from_numpy(x).to(device) for x in integers)
    scalars = torch.tensor([table.most, table.low, table.high], dtype=torch.float32, device=device)
    return HGTensors(
        lowest, octaves, torch.from_numpy(table.sub_neurons).to(device), emits, scalars
    )


def _largest(value: float) -> float:
    """The largest float32 that is not beyond a value."""
    rounded = np.float32(value)
    return float(np.nextafter(rounded, np.float32(0)) if float(rounded) > value else rounded)


@triton.jit
def _popcount(x):
    """The number of ones in each of some integers, int32."""
    x = x - ((x >> 1) & 0x55555555)
    x = (x & 0x33333333) + ((x >> 2) & 0x33333333)
    x = (x + (x >> 4)) & 0x0F0F0F0F
    x = x + (x >> 8)
    return (x + (x >> 16)) & 0x3F


@triton.jit
def _oat(x, steps, bands, scalars, T: tl.constexpr, BANDS: tl.constexpr, COUNT: tl.constexpr):
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
def _hg(
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
    value, fired = _oat(inputs, steps, bands, scalars, T, BANDS, COUNT)
    tl.store(y + places, value.to(y.dtype.element_ty), mask=inside)
    if COUNT:
        tl.store(counts + places, fired.to(tl.int8), mask=inside)
        fired = tl.where(inside, fired, 0)
        outside = inside & (tl.abs(inputs) > tl.load(scalars + 3))
        tl.atomic_add(totals, tl.sum(fired, 0).to(tl.int64))
        tl.atomic_add(totals + 1, tl.sum(outside.to(tl.int32), 0).to(tl.int64))


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
    value, fired = _hg(inputs, lowest, octaves, sub_neurons, emits, scalars, OCTAVES, N, COUNT)
    tl.store(y + places, value.to(y.dtype.element_ty), mask=inside)
    if COUNT:
        tl.store(counts + places, fired.to(tl.int8), mask=inside)
        fired = tl.where(inside, fired, 0)
        outside = inside & _beyond(inputs, scalars)
        tl.atomic_add(totals, tl.sum(fired, 0).to(tl.int64))
        tl.atomic_add(totals + 1, tl.sum(outside.to(tl.int32), 0).to(tl.int64))


@triton.jit
def _beyond(x, scalars):
    """Which inputs of HG neurons are out of range; -inf is a masked entry."""
    low, high = tl.load(scalars + 1), tl.load(scalars + 2)
    return ((x < low) & (x != -float("inf"))) | (x > high)


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


@triton.jit
def _gate(
    gate, up, product, heard, totals,
    lowest, octaves, sub_neurons, emits, hg_scalars, steps, bands, scalars, n, width, N,
    OCTAVES: tl.constexpr, T: tl.constexpr, BANDS: tl.constexpr,
    PADDED: tl.constexpr, COUNT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """f_hat(gate) o phi(up), element by element (Eq. 21)."""
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = places < n
    g = tl.load(gate + places, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + places, mask=inside, other=0.0).to(tl.float32)
    of_gate, fired = _hg(g, lowest, octaves, sub_neurons, emits, hg_scalars, OCTAVES, N, COUNT)
    of_up, also = _oat(u, steps, bands, scalars, T, BANDS, COUNT)
    tl.store(product + places, (of_gate * of_up).to(product.dtype.element_ty), mask=inside)
    if COUNT:
        told = inside
        if PADDED:
            told = inside & (tl.load(heard + places // width, mask=inside, other=0) != 0)
        _add(totals, tl.where(told, fired, 0))
        _add(totals + 1, (told & _beyond(g, hg_scalars)).to(tl.int32))
        _add(totals + 2, tl.where(told, also, 0))
        _add(totals + 3, (told & (tl.abs(u) > tl.load(scalars + 3))).to(tl.int32))


@triton.jit
def _normalise(
    x, y, gamma, beta, heard, totals,
    square_lowest, square_octaves, square_neurons, square_emits, square_scalars,
    root_lowest, root_octaves, root_neurons, root_emits, root_scalars,
    in_steps, in_bands, in_scalars, out_steps, out_bands, out_scalars,
    eps, width, SQUARE_N, ROOT_N,
    SQUARE_OCTAVES: tl.constexpr, ROOT_OCTAVES: tl.constexpr,
    IN_T: tl.constexpr, IN_BANDS: tl.constexpr, OUT_T: tl.constexpr, OUT_BANDS: tl.constexpr,
    CENTRED: tl.constexpr, SCALED: tl.constexpr, SHIFTED: tl.constexpr,
    PADDED: tl.constexpr, COUNT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The norm of one token (Eq. 14)."""
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < width
    z = tl.load(x + token * width + at, mask=inside, other=0.0).to(tl.float32)
    if CENTRED:
        z = tl.where(inside, z - tl.sum(z, 0) / width, 0.0)
    squares, of_squares = _hg(
        z,
        square_lowest,
        square_octaves,
        square_neurons,
        square_emits,
        square_scalars,
        SQUARE_OCTAVES,
        SQUARE_N,
        COUNT,
    )
    mean = tl.zeros((1,), tl.float32) + tl.sum(tl.where(inside, squares, 0.0), 0) / width + eps
    inverse, of_root = _hg(
        mean,
        root_lowest,
        root_octaves,
        root_neurons,
        root_emits,
        root_scalars,
        ROOT_OCTAVES,
        ROOT_N,
        COUNT,
    )
    coded, of_inputs = _oat(z, in_steps, in_bands, in_scalars, IN_T, IN_BANDS, COUNT)
    normed = coded * inverse
    value, of_outputs = _oat(normed, out_steps, out_bands, out_scalars, OUT_T, OUT_BANDS, COUNT)
    if SCALED:
        value = value * tl.load(gamma + at, mask=inside, other=0.0).to(tl.float32)
    if SHIFTED:
        value = value + tl.load(beta + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + token * width + at, value.to(y.dtype.element_ty), mask=inside)
    if COUNT:
        told = inside
        alone = tl.full((1,), True, tl.int1)
        if PADDED:
            counts = tl.load(heard + token) != 0
            told = inside & counts
            alone = alone & counts
        _add(totals, tl.where(told, of_squares, 0))
        _add(totals + 1, (told & _beyond(z, square_scalars)).to(tl.int32))
        _add(totals + 2, tl.where(alone, of_root, 0))
        _add(totals + 3, (alone & _beyond(mean, root_scalars)).to(tl.int32))
        _add(totals + 4, tl.where(told, of_inputs, 0))
        _add(totals + 5, (told & (tl.abs(z) > tl.load(in_scalars + 3))).to(tl.int32))
        _add(totals + 6, tl.where(told, of_outputs, 0))
        _add(totals + 7, (told & (tl.abs(normed) > tl.load(out_scalars + 3))).to(tl.int32))


def gate(
    gate: Tensor,
    up: Tensor,
    neurons: tuple[HG, OAT],
    padding: Tensor | None,
    count: bool,
    stop: int | None,
) -> tuple[Tensor, Tensor]:
    """f_hat(gate) o phi(up) in one kernel.

    Arguments:
        gate: (..., n), contiguous.
        up: likewise.
        neurons: of the function, and those that code `up`.
        padding: which tokens are padding, (...); None for none.
        count: whether somebody counts.
        stop: of the T time steps, those that neurons fire in; None for all.

    Returns:
        The product, and spikes and inputs out of range of both, int64 (4,).
    """
    product = torch.empty_like(gate)
    totals = torch.zeros(4, dtype=torch.int64, device=gate.device)
    function, coder = (
        hg_tensors(neurons[0], stop, gate.device),
        oat_tensors(neurons[1], stop, gate.device),
    )
    heard = totals if padding is None else _bytes((~padding).contiguous())
    if gate.numel():
        with torch.cuda.device_of(gate):
            _gate[(triton.cdiv(gate.numel(), ELEMENTS),)](
                gate, up, product, heard, totals, *function, *coder,
                gate.numel(), gate.shape[-1], function.sub_neurons.shape[1],
                len(function.octaves) // 2, len(coder.steps), len(coder.bands),
                padding is not None, count, ELEMENTS, **UNFUSED,
            )  # fmt: skip
    return product, totals


def normalise(
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    centred: bool,
    neurons: tuple[HG, HG, OAT, OAT],
    padding: Tensor | None,
    count: bool,
    stop: int | None,
) -> tuple[Tensor, Tensor]:
    """A norm in one kernel.

    Arguments:
        x: (..., n), contiguous; a program holds a whole token.
        gamma: (n,) or None.
        beta: (n,) or None.
        eps: epsilon.
        centred: whether the mean is subtracted.
        neurons: of the square, of the inverse square root, of the inputs and of the outputs.
        padding: which tokens are padding, (...); None for none.
        count: whether somebody counts.
        stop: of the T time steps, those that neurons fire in; None for all.

    Returns:
        The norm, and spikes and inputs out of range of the four, int64 (8,).
    """
    y = torch.empty_like(x)
    width = x.shape[-1]
    totals = torch.zeros(8, dtype=torch.int64, device=x.device)
    square, root = (hg_tensors(one, stop, x.device) for one in neurons[:2])
    before, after = (oat_tensors(one, stop, x.device) for one in neurons[2:])
    heard = totals if padding is None else _bytes((~padding).contiguous())
    if x.numel():
        with torch.cuda.device_of(x):
            _normalise[(x.numel() // width,)](
                x, y, x if gamma is None else gamma, x if beta is None else beta, heard, totals,
                *square, *root, *before, *after,
                eps, width, square.sub_neurons.shape[1], root.sub_neurons.shape[1],
                len(square.octaves) // 2, len(root.octaves) // 2,
                len(before.steps), len(before.bands), len(after.steps), len(after.bands),
                centred, gamma is not None, beta is not None,
                padding is not None, count, triton.next_power_of_2(width),
                num_warps=4 if width <= 1024 else 8, **UNFUSED,
            )  # fmt: skip
    return y, totals


@triton.jit(do_not_specialize=_CHANGING)
def _attend(
    query, key, value, context, allowed, bias, counted, totals,
    exp_lowest, exp_octaves, exp_neurons, exp_emits, exp_scalars,
    inv_lowest, inv_octaves, inv_neurons, inv_emits, inv_scalars,
    steps, bands, scalars,
    scale, heads, groups, queries, keys, width, out,
    query_b, query_h, query_l, key_b, key_h, key_s, value_b, value_h, value_s,
    context_b, context_h, context_l,
    allowed_b, allowed_h, allowed_l, allowed_s, bias_b, bias_h, bias_l, bias_s,
    counted_b, counted_h, counted_l,
    EXP_N, INV_N,
    EXP_OCTAVES: tl.constexpr, INV_OCTAVES: tl.constexpr, T: tl.constexpr, BANDS: tl.constexpr,
    MASKED: tl.constexpr, BIASED: tl.constexpr, PADDED: tl.constexpr, COUNT: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_L: tl.constexpr, BLOCK_S: tl.constexpr, WIDTH: tl.constexpr, OUT: tl.constexpr,
):  # fmt: skip
    """phi(softmax(scale * Q K^T + b)) V for some queries of one head (Eqs. 11-12 and 15-17).

    Three passes over the keys: the largest score; the sum of the coded exponentials; the coded
    probabilities times the values. Keys beyond the last one that any of the queries sees are
    looked at in the first pass alone.
    """
    b = (tl.program_id(0) // heads).to(tl.int64)
    h = (tl.program_id(0) % heads).to(tl.int64)
    rows = (tl.program_id(1) * BLOCK_L + tl.arange(0, BLOCK_L)).to(tl.int64)
    asked = rows < queries
    at = tl.arange(0, WIDTH)
    of_query = query + b * query_b + h * query_h + rows[:, None] * query_l + at[None, :]
    q = tl.load(of_query, mask=asked[:, None] & (at[None, :] < width), other=0.0)
    keys_of = key + b * key_b + (h // groups) * key_h
    values_of = value + b * value_b + (h // groups) * value_h
    allowed_of = allowed + b * allowed_b + h * allowed_h + rows[:, None] * allowed_l
    bias_of = bias + b * bias_b + h * bias_h + rows[:, None] * bias_l
    heard = asked
    if PADDED:
        row = counted + b * counted_b + h * counted_h + rows * counted_l
        heard = asked & (tl.load(row, mask=asked, other=0) != 0)

    peak = tl.full((BLOCK_L,), -float("inf"), tl.float32)
    end = 0
    for first in range(0, keys, BLOCK_S):
        seen = _seen(allowed_of, allowed_s, asked, first, keys, MASKED, BLOCK_S)
        if tl.max(tl.max(seen.to(tl.int32), 1), 0) > 0:
            scores = _scores(
                q,
                keys_of,
                key_s,
                bias_of,
                bias_s,
                seen,
                first,
                keys,
                width,
                scale,
                BIASED,
                PRECISION,
                BLOCK_S,
                WIDTH,
            )
            peak = tl.maximum(peak, tl.max(scores, 1))
            end = first + BLOCK_S
    peak = tl.where(peak == -float("inf"), 0.0, peak)

    weight = tl.zeros((BLOCK_L,), tl.float32)
    spikes = tl.zeros((BLOCK_L,), tl.int32)
    outside = tl.zeros((BLOCK_L,), tl.int32)
    pairs = tl.zeros((BLOCK_L,), tl.int32)
    for first in range(0, end, BLOCK_S):
        seen = _seen(allowed_of, allowed_s, asked, first, keys, MASKED, BLOCK_S)
        scores = _scores(
            q,
            keys_of,
            key_s,
            bias_of,
            bias_s,
            seen,
            first,
            keys,
            width,
            scale,
            BIASED,
            PRECISION,
            BLOCK_S,
            WIDTH,
        )
        z = scores - peak[:, None]
        e, fired = _hg(
            z,
            exp_lowest,
            exp_octaves,
            exp_neurons,
            exp_emits,
            exp_scalars,
            EXP_OCTAVES,
            EXP_N,
            COUNT,
        )
        weight += tl.sum(tl.where(seen, e, 0.0), 1)
        if COUNT:
            told = seen & heard[:, None]
            spikes += tl.sum(tl.where(told, fired, 0), 1)
            outside += tl.sum((told & _beyond(z, exp_scalars)).to(tl.int32), 1)
            pairs += tl.sum(told.to(tl.int32), 1)
    alone = weight == 0
    summed = tl.where(alone, 1.0, weight)
    inverse, answered = _hg(
        summed,
        inv_lowest,
        inv_octaves,
        inv_neurons,
        inv_emits,
        inv_scalars,
        INV_OCTAVES,
        INV_N,
        COUNT,
    )
    inverse = tl.where(alone, 0.0, inverse)
    if COUNT:
        sees = pairs > 0
        _add(totals, spikes)
        _add(totals + 1, outside)
        _add(totals + 2, tl.where(sees, answered, 0))
        _add(totals + 3, (sees & _beyond(summed, inv_scalars)).to(tl.int32))
        _add(totals + 6, tl.where(sees, answered, 0) * pairs)
        _add(totals + 7, pairs)
        _add(totals + 8, sees.to(tl.int32))
        spikes = tl.zeros((BLOCK_L,), tl.int32)
        outside = tl.zeros((BLOCK_L,), tl.int32)

    to = tl.arange(0, OUT)
    answer = tl.zeros((BLOCK_L, OUT), tl.float32)
    for first in range(0, end, BLOCK_S):
        seen = _seen(allowed_of, allowed_s, asked, first, keys, MASKED, BLOCK_S)
        scores = _scores(
            q,
            keys_of,
            key_s,
            bias_of,
            bias_s,
            seen,
            first,
            keys,
            width,
            scale,
            BIASED,
            PRECISION,
            BLOCK_S,
            WIDTH,
        )
        e, fired = _hg(
            scores - peak[:, None],
            exp_lowest,
            exp_octaves,
            exp_neurons,
            exp_emits,
            exp_scalars,
            EXP_OCTAVES,
            EXP_N,
            False,
        )
        p = tl.where(seen, e, 0.0) * inverse[:, None]
        coded, fired = _oat(p, steps, bands, scalars, T, BANDS, COUNT)
        if COUNT:
            told = seen & heard[:, None]
            spikes += tl.sum(tl.where(told, fired, 0), 1)
            outside += tl.sum((told & (p > tl.load(scalars + 3))).to(tl.int32), 1)
        columns = (first + tl.arange(0, BLOCK_S)).to(tl.int64)
        v = tl.load(
            values_of + columns[:, None] * value_s + to[None, :],
            mask=(columns[:, None] < keys) & (to[None, :] < out),
            other=0.0,
        )
        answer += tl.dot(coded.to(v.dtype), v, input_precision=PRECISION)
    if COUNT:
        _add(totals + 4, spikes)
        _add(totals + 5, outside)
    place = context + b * context_b + h * context_h + rows[:, None] * context_l + to[None, :]
    inside = asked[:, None] & (to[None, :] < out)
    tl.store(place, answer.to(context.dtype.element_ty), mask=inside)


@triton.jit
def _seen(allowed, stride, asked, first, keys, MASKED: tl.constexpr, BLOCK_S: tl.constexpr):
    """Which of some keys each query sees, (queries, BLOCK_S)."""
    columns = (first + tl.arange(0, BLOCK_S)).to(tl.int64)
    seen = asked[:, None] & (columns[None, :] < keys)
    if MASKED:
        seen = seen & (tl.load(allowed + columns[None, :] * stride, mask=seen, other=0) != 0)
    return seen


@triton.jit
def _scores(
    q,
    keys_of,
    key_s,
    bias_of,
    bias_s,
    seen,
    first,
    keys,
    width,
    scale,
    BIASED: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_S: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """The scores of some keys, (queries, BLOCK_S); -inf where they are hidden."""
    columns = (first + tl.arange(0, BLOCK_S)).to(tl.int64)
    at = tl.arange(0, WIDTH)
    k = tl.load(
        keys_of + columns[None, :] * key_s + at[:, None],
        mask=(columns[None, :] < keys) & (at[:, None] < width),
        other=0.0,
    )
    scores = tl.dot(q, k, input_precision=PRECISION) * scale
    if BIASED:
        scores += tl.load(bias_of + columns[None, :] * bias_s, mask=seen, other=0.0).to(tl.float32)
    return tl.where(seen, scores, -float("inf"))


@triton.jit
def _add(place, counts):
    """Add the sum of some counts to what a place holds."""
    tl.atomic_add(place, tl.sum(counts.to(tl.int64), 0))


class Attended(NamedTuple):
    """What `attend` has done.

    Attributes:
        context: (B, H, L, D_v).
        totals: spikes and inputs out of range of the exponentials, of the reciprocals and of the
            probabilities; how many exponentials the spikes of reciprocals read; pairs of a query
            and a key that it sees; queries that see any, int64 (9,). Zeros where nobody counts.
    """

    context: Tensor
    totals: Tensor


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    allowed: Tensor | None,
    bias: Tensor | None,
    scale: float,
    neurons: tuple[HG, HG, OAT],
    padded: Tensor | None,
    count: bool,
    stop: int | None,
) -> Attended:
    """Attention from coded queries, keys and values; no (L, S) tensor is made.

    Arguments:
        query: (B, H, L, D).
        key: (B, H_kv, S, D).
        value: (B, H_kv, S, D_v).
        allowed: which keys a query sees, broadcastable to (B, H, L, S); None for all.
        bias: of positions, likewise; None for none.
        scale: of the scores.
        neurons: for the exponential, the reciprocal and the probabilities.
        padded: which queries are padding, (B, 1, L, 1); None for none.
        count: whether somebody counts.
        stop: of the T time steps, those that neurons fire in; None for all.
    """
    query, key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (query, key, value))
    batch, heads, queries, width = query.shape
    key_heads, keys = key.shape[1:3]
    out = value.shape[-1]
    context = query.new_empty(batch, queries, heads, out).transpose(1, 2)
    totals = torch.zeros(9, dtype=torch.int64, device=query.device)
    full = (batch, heads, queries, keys)
    mask = _bytes(totals if allowed is None else allowed.expand(full))
    current = query if bias is None else bias.expand(full)
    heard = _bytes(totals if padded is None else (~padded[..., 0]).expand(full[:3]))
    exp, inverse = (hg_tensors(one, stop, query.device) for one in neurons[:2])
    probability = oat_tensors(neurons[2], stop, query.device)
    rows, columns = blocks(queries, max(width, out))
    with torch.cuda.device_of(query):
        _attend[(batch * heads, triton.cdiv(queries, rows))](
            query, key, value, context, mask, current, heard, totals,
            *exp, *inverse, *probability,
            scale, heads, heads // key_heads, queries, keys, width, out,
            *query.stride()[:3], *key.stride()[:3], *value.stride()[:3], *context.stride()[:3],
            *_strides(mask, 4), *_strides(current, 4), *_strides(heard, 3),
            exp.sub_neurons.shape[1], inverse.sub_neurons.shape[1],
            len(exp.octaves) // 2, len(inverse.octaves) // 2,
            len(probability.steps), len(probability.bands),
            allowed is not None, bias is not None, padded is not None, count,
            PRECISION,
            rows, columns, _padded_to(width), _padded_to(out),
            **ATTENDING, **UNFUSED,
        )  # fmt: skip
    return Attended(context, totals)


def _bytes(x: Tensor) -> Tensor:
    """A boolean tensor as bytes."""
    return x.view(torch.uint8) if x.dtype == torch.bool else x


def _strides(x: Tensor, dimensions: int) -> tuple[int, ...]:
    """Strides of a tensor that is read in so many dimensions; zeros where it is not read."""
    return tuple(x.stride()) if x.dim() == dimensions else (0,) * dimensions


def fits(query: Tensor, value: Tensor) -> bool:
    """Whether `attend` has room for heads of this width."""
    width = max(query.shape[-1], value.shape[-1])
    return _padded_to(width) * query.element_size() <= WIDEST


def _padded_to(width: int) -> int:
    """The next power of two, 16 at least: what a product of blocks takes."""
    return max(16, triton.next_power_of_2(width))


def blocks(queries: int, width: int) -> tuple[int, int]:
    """How many queries a program answers, and how many keys it reads at a time."""
    return (16 if queries <= 16 else 64), (32 if width <= 128 else 16)

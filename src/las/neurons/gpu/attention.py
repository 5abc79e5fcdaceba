"""Attention on a GPU, in one kernel (Eqs. 11-12 and 15-17)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from las.neurons.gpu.coding import UNFUSED, add, beyond, code_by_hg, code_by_oat, too_large
from las.neurons.gpu.tables import hg_tensors, oat_tensors
from las.neurons.hg import HG
from las.neurons.oat import OAT

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
    *("EXP_N", "INV_N", "CAP_N", "EXP_OCTAVES", "INV_OCTAVES", "CAP_OCTAVES", "T"),
]
"""Numbers that change from token to token or from neuron to neuron: no build of their own for those
that are 1 or that 16 divides.
"""


@triton.jit(do_not_specialize=_CHANGING)
def _attend(
    query, key, value, context, allowed, bias, counted, totals,
    exp_lowest, exp_octaves, exp_neurons, exp_emits, exp_scalars,
    inv_lowest, inv_octaves, inv_neurons, inv_emits, inv_scalars,
    steps, bands, scalars, whole,
    cap_lowest, cap_octaves, cap_neurons, cap_emits, cap_scalars,
    cap, scale, heads, groups, queries, keys, width, out,
    query_b, query_h, query_l, key_b, key_h, key_s, value_b, value_h, value_s,
    context_b, context_h, context_l,
    allowed_b, allowed_h, allowed_l, allowed_s, bias_b, bias_h, bias_l, bias_s,
    counted_b, counted_h, counted_l,
    EXP_N, INV_N, CAP_N, EXP_OCTAVES, INV_OCTAVES, CAP_OCTAVES, T,
    BANDS: tl.constexpr,
    MASKED: tl.constexpr, BIASED: tl.constexpr, CAPPED: tl.constexpr, PADDED: tl.constexpr,
    COUNT: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_L: tl.constexpr, BLOCK_S: tl.constexpr, WIDTH: tl.constexpr, OUT: tl.constexpr,
):  # fmt: skip
    """phi(softmax(scale * Q K^T + b)) V for some queries of one head (Eqs. 11-12 and 15-17).

    A cap c makes c f_tanh(scale * Q K^T / c) of the products (Section 4.3), before b is added.

    Three passes over the keys: the largest score, for which the neurons of a cap are counted; the
    sum of the coded exponentials; the coded probabilities times the values. Blocks of keys before
    the first one and behind the last one that any of the queries sees are looked at in the first
    pass alone.
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
    spikes = tl.zeros((BLOCK_L,), tl.int32)
    outside = tl.zeros((BLOCK_L,), tl.int32)
    start = keys
    end = 0
    for first in range(0, keys, BLOCK_S):
        seen = _seen(allowed_of, allowed_s, asked, first, keys, MASKED, BLOCK_S)
        if tl.max(tl.max(seen.to(tl.int32), 1), 0) > 0:
            scores, potentials, fired = _scores(
                q, keys_of, key_s, bias_of, bias_s, seen, first, keys, width, scale,
                cap_lowest, cap_octaves, cap_neurons, cap_emits, cap_scalars, cap, CAP_N,
                CAP_OCTAVES, CAPPED, BIASED, COUNT, PRECISION, BLOCK_S, WIDTH,
            )  # fmt: skip
            peak = tl.maximum(peak, tl.max(scores, 1))
            start = tl.minimum(start, first)
            end = first + BLOCK_S
            if CAPPED and COUNT:
                told = seen & heard[:, None]
                spikes += tl.sum(tl.where(told, fired & 0xFF, 0), 1)
                outside += tl.sum((told & beyond(potentials, cap_scalars)).to(tl.int32), 1)
    peak = tl.where(peak == -float("inf"), 0.0, peak)
    if CAPPED and COUNT:
        add(totals + 11, spikes)
        add(totals + 12, outside)
        spikes = tl.zeros((BLOCK_L,), tl.int32)
        outside = tl.zeros((BLOCK_L,), tl.int32)

    weight = tl.zeros((BLOCK_L,), tl.float32)
    pairs = tl.zeros((BLOCK_L,), tl.int32)
    for first in range(start, end, BLOCK_S):
        seen = _seen(allowed_of, allowed_s, asked, first, keys, MASKED, BLOCK_S)
        scores, potentials, fired = _scores(
            q, keys_of, key_s, bias_of, bias_s, seen, first, keys, width, scale,
            cap_lowest, cap_octaves, cap_neurons, cap_emits, cap_scalars, cap, CAP_N,
            CAP_OCTAVES, CAPPED, BIASED, False, PRECISION, BLOCK_S, WIDTH,
        )  # fmt: skip
        z = scores - peak[:, None]
        e, fired = code_by_hg(
            z, exp_lowest, exp_octaves, exp_neurons, exp_emits, exp_scalars, EXP_OCTAVES,
            EXP_N, COUNT,
        )  # fmt: skip
        weight += tl.sum(tl.where(seen, e, 0.0), 1)
        if COUNT:
            told = seen & heard[:, None]
            spikes += tl.sum(tl.where(told, fired & 0xFF, 0), 1)
            outside += tl.sum((told & beyond(z, exp_scalars)).to(tl.int32), 1)
            pairs += tl.sum(told.to(tl.int32), 1)
    alone = weight == 0
    summed = tl.where(alone, 1.0, weight)
    inverse, answered = code_by_hg(
        summed, inv_lowest, inv_octaves, inv_neurons, inv_emits, inv_scalars, INV_OCTAVES,
        INV_N, COUNT,
    )  # fmt: skip
    inverse = tl.where(alone, 0.0, inverse)
    if COUNT:
        sees = pairs > 0
        answered = answered & 0xFF
        add(totals, spikes)
        add(totals + 1, outside)
        add(totals + 2, tl.where(sees, answered, 0))
        add(totals + 3, (sees & beyond(summed, inv_scalars)).to(tl.int32))
        add(totals + 8, tl.where(sees, answered, 0) * pairs)
        add(totals + 9, pairs)
        add(totals + 10, sees.to(tl.int32))
        spikes = tl.zeros((BLOCK_L,), tl.int32)
        digits = tl.zeros((BLOCK_L,), tl.int32)
        active = tl.zeros((BLOCK_L,), tl.int32)
        outside = tl.zeros((BLOCK_L,), tl.int32)

    to = tl.arange(0, OUT)
    answer = tl.zeros((BLOCK_L, OUT), tl.float32)
    for first in range(start, end, BLOCK_S):
        seen = _seen(allowed_of, allowed_s, asked, first, keys, MASKED, BLOCK_S)
        scores, potentials, fired = _scores(
            q, keys_of, key_s, bias_of, bias_s, seen, first, keys, width, scale,
            cap_lowest, cap_octaves, cap_neurons, cap_emits, cap_scalars, cap, CAP_N,
            CAP_OCTAVES, CAPPED, BIASED, False, PRECISION, BLOCK_S, WIDTH,
        )  # fmt: skip
        e, fired = code_by_hg(
            scores - peak[:, None], exp_lowest, exp_octaves, exp_neurons, exp_emits,
            exp_scalars, EXP_OCTAVES, EXP_N, False,
        )  # fmt: skip
        p = tl.where(seen, e, 0.0) * inverse[:, None]
        coded, fired = code_by_oat(p, steps, bands, scalars, whole, T, BANDS, COUNT)
        if COUNT:
            told = seen & heard[:, None]
            fired = tl.where(told, fired, 0)
            spikes += tl.sum(fired & 0xFF, 1)
            digits += tl.sum(fired >> 8, 1)
            active += tl.sum((fired != 0).to(tl.int32), 1)
            outside += tl.sum((told & too_large(p, scalars)).to(tl.int32), 1)
        columns = (first + tl.arange(0, BLOCK_S)).to(tl.int64)
        v = tl.load(
            values_of + columns[:, None] * value_s + to[None, :],
            mask=(columns[:, None] < keys) & (to[None, :] < out),
            other=0.0,
        )
        answer += tl.dot(coded.to(v.dtype), v, input_precision=PRECISION)
    if COUNT:
        add(totals + 4, spikes)
        add(totals + 5, digits)
        add(totals + 6, active)
        add(totals + 7, outside)
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
    q, keys_of, key_s, bias_of, bias_s, seen, first, keys, width, scale,
    cap_lowest, cap_octaves, cap_neurons, cap_emits, cap_scalars, cap, CAP_N, CAP_OCTAVES,
    CAPPED: tl.constexpr, BIASED: tl.constexpr, COUNT: tl.constexpr,
    PRECISION: tl.constexpr, BLOCK_S: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """The scores of some keys, (queries, BLOCK_S), -inf where they are hidden.

    And, where a cap is on them, the potentials of its neurons and how often each fired.
    """
    columns = (first + tl.arange(0, BLOCK_S)).to(tl.int64)
    at = tl.arange(0, WIDTH)
    k = tl.load(
        keys_of + columns[None, :] * key_s + at[:, None],
        mask=(columns[None, :] < keys) & (at[:, None] < width),
        other=0.0,
    )
    scores = tl.dot(q, k, input_precision=PRECISION) * scale
    potentials = scores
    fired = tl.zeros(scores.shape, tl.int32)
    if CAPPED:
        potentials = tl.div_rn(scores, cap)
        capped, fired = code_by_hg(
            potentials, cap_lowest, cap_octaves, cap_neurons, cap_emits, cap_scalars, CAP_OCTAVES,
            CAP_N, COUNT,
        )  # fmt: skip
        scores = capped * cap
    if BIASED:
        scores += tl.load(bias_of + columns[None, :] * bias_s, mask=seen, other=0.0).to(tl.float32)
    return tl.where(seen, scores, -float("inf")), potentials, fired


class Attended(NamedTuple):
    """What `attend` has done.

    Attributes:
        context: (B, H, L, D_v).
        totals: spikes and inputs out of range of the exponentials and of the reciprocals; spikes of
            the probabilities, their digits, inputs that fire and inputs out of range; how many
            exponentials the spikes of reciprocals read; pairs of a query and a key that it sees;
            queries that see any; spikes and inputs out of range of a cap's neurons, int64 (13,).
            Zeros where nobody counts.
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
    cap: tuple[HG, float] | None,
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
        cap: the neurons that cap the scores, for tanh, and the cap; None for none.
        padded: which queries are padding, (B, 1, L, 1); None for none.
        count: whether somebody counts.
        stop: of the T time steps, those that neurons fire in; None for all.
    """
    query, key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (query, key, value))
    batch, heads, queries, width = query.shape
    key_heads, keys = key.shape[1:3]
    out = value.shape[-1]
    context = query.new_empty(batch, queries, heads, out).transpose(1, 2)
    totals = torch.zeros(13, dtype=torch.int64, device=query.device)
    full = (batch, heads, queries, keys)
    mask = _bytes(totals if allowed is None else allowed.expand(full))
    current = query if bias is None else bias.expand(full)
    heard = _bytes(totals if padded is None else (~padded[..., 0]).expand(full[:3]))
    exp, inverse = (hg_tensors(one, stop, query.device) for one in neurons[:2])
    probability = oat_tensors(neurons[2], stop, query.device)
    capping = exp if cap is None else hg_tensors(cap[0], stop, query.device)
    rows, columns = blocks(queries, max(width, out))
    with torch.cuda.device_of(query):
        _attend[(batch * heads, triton.cdiv(queries, rows))](
            query, key, value, context, mask, current, heard, totals,
            *exp, *inverse, *probability, *capping,
            0.0 if cap is None else float(cap[1]),
            scale, heads, heads // key_heads, queries, keys, width, out,
            *query.stride()[:3], *key.stride()[:3], *value.stride()[:3], *context.stride()[:3],
            *_strides(mask, 4), *_strides(current, 4), *_strides(heard, 3),
            exp.sub_neurons.shape[1], inverse.sub_neurons.shape[1], capping.sub_neurons.shape[1],
            len(exp.octaves) // 2, len(inverse.octaves) // 2, len(capping.octaves) // 2,
            len(probability.steps), len(probability.bands),
            allowed is not None, bias is not None, cap is not None, padded is not None, count,
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

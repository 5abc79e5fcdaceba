"""The fused path: what T time steps accumulate to, computed directly.

It agrees with the step simulator spike for spike. On the CPU, float32 and float64 tensors go
through compiled kernels; anything else goes through the same arithmetic in PyTorch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from las.neurons import hg, mt, oat
from las.neurons.coded import Coded
from las.neurons.hg import HG
from las.neurons.oat import OAT

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


def code_oat(x: Tensor, neuron: OAT, count: bool = False) -> Coded:
    """Code x with an OAT neuron (Eqs. 3-7).

    Arguments:
        x: input membrane potential v(1), any shape.
        neuron: its parameters.
        count: whether spikes and out-of-range inputs are counted.
    """
    if x.device.type != "cpu" or x.dtype not in _BITS:
        return _accumulate(x, oat.spike_train(_wide(x), neuron), oat.out_of_range(x, neuron), count)
    from las.neurons import kernels

    x = x.detach().contiguous()
    value = torch.empty_like(x)
    counts, totals = _buffers(x, count)
    kernels.code_oat.choose(x.numel())(
        x.view(-1).numpy(),
        value.view(-1).numpy(),
        counts.view(-1).numpy(),
        totals,
        *_oat_tables(neuron),
    )
    return Coded(value, counts, *totals.sum(0).tolist()) if count else Coded(value)


def code_hg(x: Tensor, neuron: HG, count: bool = False) -> Coded:
    """Code x with an HG neuron (Eqs. 8-9): the value is f_hat(x).

    Arguments: see `code_oat`.
    """
    if x.device.type != "cpu" or x.dtype not in _BITS:
        wide = _wide(x)
        outside = hg.out_of_range(wide, neuron)
        return _accumulate(x, hg.spike_train(wide, neuron), outside, count)
    from las.neurons import kernels

    x = x.detach().contiguous()
    value = torch.empty_like(x)
    counts, totals = _buffers(x, count)
    kernels.code_hg.choose(x.numel())(
        x.view(-1).numpy(),
        x.view(-1).view(_BITS[x.dtype]).numpy(),
        value.view(-1).numpy(),
        counts.view(-1).numpy(),
        totals,
        *_hg_tables(neuron, x.dtype),
    )
    return Coded(value, counts, *totals.sum(0).tolist()) if count else Coded(value)


def _wide(x: Tensor) -> Tensor:
    """Neuron arithmetic is float32 at least, whatever the dtype of the weights."""
    return x if x.dtype in _BITS else x.float()


def _accumulate(x: Tensor, train: Any, outside: Tensor, count: bool) -> Coded:
    """Sum a spike train as it comes; the fallback where no kernel runs."""
    value: Tensor | None = None
    counts = torch.zeros_like(x, dtype=torch.int8) if count else None
    for weighted in train:
        value = weighted if value is None else value + weighted
        if counts is not None:
            counts += weighted != 0
    assert value is not None
    if counts is None:
        return Coded(value.to(x.dtype))
    spikes = int(counts.sum(dtype=torch.int64))
    return Coded(value.to(x.dtype), counts, spikes, int(outside.sum()))


def _buffers(x: Tensor, count: bool) -> tuple[Tensor, Any]:
    from las.neurons import kernels

    counts = torch.empty(x.shape if count else (0,), dtype=torch.int8)
    return counts, np.zeros((-(-x.numel() // kernels.TILE), 2), dtype=np.int64)


@lru_cache(maxsize=4096)
def _oat_tables(neuron: OAT) -> tuple[Any, ...]:
    steps = range(1, neuron.time_steps + 1)
    table = [mt.thresholds_at(t, neuron.time_steps, neuron.levels, neuron.rounding) for t in steps]
    return (
        np.array(neuron.gates, dtype=np.float64),
        np.array([band.delta for band in neuron.bands]),
        neuron.largest,
        np.array([t.spacing for t in table]),
        np.array([t.raise_by for t in table]),
        np.array([t.silent_below for t in table]),
        mt.initial_raise(neuron.levels, neuron.rounding),
        neuron.levels,
    )


@lru_cache(maxsize=256)
def _hg_tables(neuron: HG, dtype: torch.dtype) -> tuple[Any, ...]:
    octaves = max(len(o.splits) for _, o in neuron.sides)
    lowest = np.zeros(2, dtype=np.int64)
    splits = np.full((2, octaves), -1, dtype=np.int64)
    starts = np.zeros((2, octaves + 2), dtype=np.int64)
    silent = np.zeros(2, dtype=np.bool_)
    first = 0
    for sign, o in neuron.sides:
        row = 0 if sign < 0 else 1
        lowest[row], silent[row] = o.lowest, o.silent_beyond
        splits[row, : len(o.splits)] = o.splits
        sizes = [1, *(2**split for split in o.splits)]
        starts[row, : len(sizes)] = first + np.concatenate([[0], np.cumsum(sizes)[:-1]])
        first += sum(sizes)
        starts[row, -1] = first - 1  # the outermost sub-neuron, which saturates
    per_width = 2.0 ** (neuron.time_steps - 1) / neuron.width
    table = np.stack(
        [neuron.left, per_width, neuron.offset, neuron.slope / per_width], axis=1
    ).astype(np.float32 if dtype == torch.float32 else np.float64)
    return (
        lowest,
        starts,
        splits,
        silent,
        neuron.negative is not None,
        neuron.positive is not None,
        table,
        neuron.time_steps,
        neuron.low,
        neuron.high,
    )

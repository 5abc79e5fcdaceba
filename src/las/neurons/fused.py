"""The fused path: what T time steps accumulate to, computed directly.

It agrees with the step simulator spike for spike. On the CPU, float32 and float64 tensors go
through compiled kernels; anything else goes through the same arithmetic in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from las.neurons import hg, mt, oat
from las.neurons.coded import Coded
from las.neurons.hg import HG
from las.neurons.oat import OAT

if TYPE_CHECKING:
    from las.neurons.kernels import HGTable, OATTable

_INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}


def has_kernels(x: Tensor) -> bool:
    """Whether compiled kernels work on a tensor."""
    return x.device.type == "cpu" and x.dtype in _INTEGERS


def code_oat(x: Tensor, neuron: OAT, count: bool = False, stop: int | None = None) -> Coded:
    """Code x with an OAT neuron (Eqs. 3-7).

    Arguments:
        x: input membrane potential v(1), any shape.
        neuron: its parameters.
        count: whether spikes and out-of-range inputs are counted.
        stop: of the T time steps, those that it fires in; all of them if not given.
    """
    if not has_kernels(x):
        train = islice(oat.spike_train(_wide(x), neuron), stop)
        return _accumulate(x, train, oat.out_of_range(x, neuron), count)
    from las.neurons import kernels

    return _run(kernels.code_oat, x, oat_table(neuron, stop), count)


def code_hg(x: Tensor, neuron: HG, count: bool = False, stop: int | None = None) -> Coded:
    """Code x with an HG neuron (Eqs. 8-9): the value is f_hat(x).

    Arguments: see `code_oat`.
    """
    if not has_kernels(x):
        wide = _wide(x)
        outside = hg.out_of_range(wide, neuron)
        return _accumulate(x, islice(hg.spike_train(wide, neuron), stop), outside, count)
    from las.neurons import kernels

    return _run(kernels.code_hg, x, hg_table(neuron, x.dtype, stop), count)


def _run(kernel: Any, x: Tensor, table: Any, count: bool) -> Coded:
    """Run an elementwise kernel over a tensor."""
    x = x.detach().contiguous()
    value = torch.empty_like(x)
    counts = torch.empty(x.shape if count else (0,), dtype=torch.int8)
    counted = totals(x.numel(), 2)
    kernel.choose(x.numel())(
        *memory(x), value.view(-1).numpy(), counts.view(-1).numpy(), counted, table
    )
    return Coded(value, counts, *counted.sum(0).tolist()) if count else Coded(value)


def memory(x: Tensor, *shape: int) -> tuple[Any, Any]:
    """A contiguous tensor as an array, flat unless shaped, and the same memory as integers."""
    shaped = x.view(shape or -1)
    return shaped.numpy(), shaped.view(_INTEGERS[x.dtype]).numpy()


def totals(size: int, columns: int) -> NDArray[np.int64]:
    """Room for what each share of the work on `size` elements counts, (shares, columns)."""
    from las.neurons.kernels import CHUNK

    return np.zeros((-(-size // CHUNK), columns), dtype=np.int64)


def _wide(x: Tensor) -> Tensor:
    """Neuron arithmetic is float32 at least, whatever the dtype of the weights."""
    return x if x.dtype in _INTEGERS else x.float()


def _accumulate(x: Tensor, train: Iterator[Tensor], outside: Tensor, count: bool) -> Coded:
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


@lru_cache(maxsize=2**14)
def oat_table(neuron: OAT, stop: int | None = None) -> OATTable:
    """An OAT neuron, stopped after the first `stop` of its T time steps, as the kernels read it."""
    from las.neurons.kernels import OATTable

    steps = range(1, 1 + (stop or neuron.time_steps))
    return OATTable(
        steps=np.array(
            [mt.thresholds_at(t, neuron.time_steps, neuron.levels, neuron.rounding) for t in steps]
        ),
        gates=np.array(neuron.gates, dtype=np.float64),
        units=np.array([band.delta for band in neuron.bands]),
        largest=neuron.largest,
        start=mt.initial_raise(neuron.levels, neuron.rounding),
        levels=neuron.levels,
        saturated=(2 * neuron.levels - 1) * 2.0**neuron.time_steps,
    )


@lru_cache(maxsize=1024)
def hg_table(neuron: HG, dtype: torch.dtype, stop: int | None = None) -> HGTable:
    """An HG neuron, stopped after its first `stop` time steps, as the kernels for a dtype read it.

    As theta(t) does not depend on T, it is the neuron with T = `stop`.
    """
    from las.neurons.kernels import HGTable

    narrow = dtype == torch.float32
    bias, mantissa = (127, 23) if narrow else (1023, 52)
    length = 2 + max(len(octaves.splits) for _, octaves in neuron.sides)
    sides: dict[int, tuple[int, Any]] = {}
    places: list[Any] = []  # of each sub-neuron in the neuron's arrays, -1 for a silent one
    size = 0
    for sign, octaves in neuron.sides:
        cells = [1, *(2**split for split in octaves.splits)]
        starts = len(places) + np.concatenate([[0], np.cumsum(cells)])
        places += range(size, size + sum(cells))
        size += sum(cells)
        if octaves.silent_beyond:
            places.append(-1)
        firsts = np.full(length, len(places) - 1)  # the outermost one, which saturates or is silent
        firsts[: len(cells)] = starts[:-1]
        shifts = np.full(length, mantissa)  # leave nothing: one sub-range alone
        shifts[1 : len(cells)] -= np.array(octaves.splits, dtype=np.int64)
        sides[sign] = (octaves.lowest + bias - 1, 64 * firsts + shifts)
    both = [sides.get(sign) or sides[-sign] for sign in (-1, 1)]  # one side may serve all inputs
    codes = 2.0 ** ((stop or neuron.time_steps) - 1)
    per_width = codes / neuron.width
    rows = np.stack([neuron.left, per_width, neuron.offset, neuron.slope / per_width])
    rows = np.concatenate([rows, np.zeros((4, 1))], axis=1)[:, places]
    rows = rows.astype(np.float32 if narrow else np.float64)
    first, later = (rows[2] != 0).astype(np.uint32), (rows[3] != 0).astype(np.uint32)
    integer = np.int32 if narrow else np.int64
    return HGTable(
        lowest=np.array([lowest for lowest, _ in both], dtype=integer),
        octaves=np.concatenate([packed for _, packed in both]).astype(np.uint32),
        sub_neurons=np.ascontiguousarray(rows),
        emits=first | later * np.uint32(2 * (int(codes) - 1)),
        most=codes - 1,
        low=neuron.low,
        high=neuron.high,
    )

"""The fused path: what T time steps accumulate to, computed directly.

It agrees with the step simulator spike for spike. On the CPU, tensors go through compiled kernels
for float32 and float64, on a GPU all but float64 through those in Triton, where that is installed;
anything else goes through the same arithmetic in PyTorch operations, and a warning says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from las.neurons import tensors
from las.neurons.encoding import Firing, SpikeEncoding
from las.neurons.hg import HG
from las.neurons.mt import wide
from las.neurons.oat import OAT
from las.neurons.slower import say_slower
from las.neurons.tables import hg_table, oat_table

_INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}

_ON_GPUS = (torch.float32, torch.bfloat16, torch.float16)


def has_kernels(x: Tensor) -> bool:
    """Whether compiled kernels for CPUs work on a tensor."""
    return x.device.type == "cpu" and x.dtype in _INTEGERS


def has_triton(x: Tensor) -> bool:
    """Whether kernels for GPUs work on a tensor."""
    return x.device.type == "cuda" and x.dtype in _ON_GPUS and tensors.triton_is_there()


def code_oat(x: Tensor, neuron: OAT, count: bool = False, stop: int | None = None) -> SpikeEncoding:
    """Code x with an OAT neuron (Eqs. 3-7).

    Arguments:
        x: input membrane potential v(1), any shape.
        neuron: its parameters.
        count: whether spikes and out-of-range inputs are counted.
        stop: of the T time steps, those that it fires in; all of them if not given.

    Raises:
        ValueError: thresholds for each channel, and x has other channels.
    """
    if neuron.shifts:
        coded = code_oat(neuron.unshifted(wide(x)), neuron.alike, count, stop)
        return replace(coded, value=neuron.shifted(coded.value).to(x.dtype))
    if has_triton(x):
        from las.neurons import gpu

        return gpu.code_oat(x, neuron, count, stop)
    if not has_kernels(x):
        _say_why(x)
        if _is_narrow(x):
            return _narrowed(code_oat(wide(x), neuron, count, stop), x.dtype)
        return tensors.code_oat(x, neuron, count, stop)
    from las.neurons import kernels

    value, packed, counted = _run(kernels.code_oat, x, oat_table(neuron, stop), count, 4)
    if packed is None:
        return SpikeEncoding(value)
    *fired, outside = counted
    return SpikeEncoding(value, packed, Firing(*fired), outside)


def code_hg(x: Tensor, neuron: HG, count: bool = False, stop: int | None = None) -> SpikeEncoding:
    """Code x with an HG neuron (Eqs. 8-9): the value is f_hat(x).

    Arguments: see `code_oat`.
    """
    if has_triton(x):
        from las.neurons import gpu

        return gpu.code_hg(x, neuron, count, stop)
    if not has_kernels(x):
        _say_why(x)
        if _is_narrow(x):
            return _narrowed(code_hg(wide(x), neuron, count, stop), x.dtype)
        return tensors.code_hg(x, neuron, count, stop)
    from las.neurons import kernels

    value, packed, counted = _run(kernels.code_hg, x, hg_table(neuron, x.dtype, stop), count, 2)
    if packed is None:
        return SpikeEncoding(value)
    spikes, outside = counted
    return SpikeEncoding(value, packed, Firing.plain(spikes), outside)


def _is_narrow(x: Tensor) -> bool:
    """Whether kernels for CPUs work on a tensor once it is wider."""
    return x.device.type == "cpu" and x.dtype not in _INTEGERS


def _narrowed(coded: SpikeEncoding, dtype: torch.dtype) -> SpikeEncoding:
    """Spikes whose values are of a dtype."""
    return replace(coded, value=coded.value.to(dtype))


def _say_why(x: Tensor) -> None:
    """Warn that no kernel works on a tensor; where Triton is missing, `tensors` says it."""
    kind, dtype = x.device.type, str(x.dtype).removeprefix("torch.")
    what = "attention and gated products run"
    if kind == "cpu":
        why = f"las has kernels for float32 and float64 on the CPU, not for {dtype}"
        do = "load the model in float32, or run it on a GPU"
    elif kind != "cuda":
        what = "neurons, attention and gated products run"
        why = f"las has no kernels for the device {kind!r}"
        do = "run the model on the CPU, or on a GPU that PyTorch calls 'cuda'"
    elif tensors.triton_is_there():
        why = f"las has kernels for float32, bfloat16 and float16 on GPUs, not for {dtype}"
        do = "load the model in one of these"
    else:
        return
    if kind != "meta":  # where a model is planned, nothing runs
        say_slower(
            f"{kind} {dtype}",
            f"{what} operation by operation, slower than in one kernel and with all scores in "
            f"memory: {why}; {do}",
        )


def fired_by_rows(packed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What each row of neurons has fired: spikes, their digits, and inputs that fire.

    Arguments:
        packed: see `SpikeEncoding`, (..., n).

    Returns:
        Three int64 tensors (...).
    """
    if packed.device.type != "cpu":
        spikes = packed & 0xFF
        parts = spikes, packed >> 8, spikes != 0
        sums = [part.sum(-1, dtype=torch.int64) for part in parts]
        return sums[0], sums[1], sums[2]
    return _sum_rows(packed, None)[1]


def without_rows(packed: Tensor, silent: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Nothing in the place of what silent rows of neurons have fired, and the others' sums.

    Arguments:
        packed: see `SpikeEncoding`, (..., n).
        silent: bool (...).

    Returns:
        Like `packed`, and what `fired_by_rows` makes of that.
    """
    if packed.device.type != "cpu":
        heard = packed.masked_fill(silent[..., None], 0)
        return heard, fired_by_rows(heard)
    return _sum_rows(packed, silent)


def _sum_rows(
    packed: Tensor, silent: Tensor | None
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """See `without_rows`."""
    from las.neurons import kernels

    rows, n = packed.shape[:-1], packed.shape[-1]
    sums = torch.empty((3, rows.numel()), dtype=torch.int64, device=packed.device)
    shape = (*rows, 0) if silent is None else packed.shape
    heard = torch.empty(shape, dtype=torch.int16, device=packed.device)
    kernels.sum_rows.choose(packed.numel())(
        packed.contiguous().view(rows.numel(), n).numpy(),
        rows_of(silent, rows),
        heard.view(rows.numel(), heard.shape[-1]).numpy(),
        sums.numpy(),
    )
    return heard, (sums[0].view(rows), sums[1].view(rows), sums[2].view(rows))


def _run(
    kernel: Any, x: Tensor, table: Any, count: bool, columns: int
) -> tuple[Tensor, Tensor | None, list[int]]:
    """Run an elementwise kernel over a tensor: values, what each has fired, and the totals."""
    x = x.detach().contiguous()
    value = torch.empty_like(x)
    packed = torch.empty(x.shape if count else (0,), dtype=torch.int16, device=x.device)
    counted = totals(x.numel(), columns)
    kernel.choose(x.numel())(
        *memory(x), value.view(-1).numpy(), packed.view(-1).numpy(), counted, table
    )
    return value, packed if count else None, counted.sum(0).tolist()


def memory(x: Tensor, *shape: int) -> tuple[Any, Any]:
    """A contiguous tensor as an array, flat unless shaped, and the same memory as integers."""
    shaped = x.view(shape or -1)
    return shaped.numpy(), shaped.view(_INTEGERS[x.dtype]).numpy()


def rows_of(silent: Tensor | None, rows: Sequence[int]) -> NDArray[np.uint8]:
    """Which rows count for nothing, one byte for each; empty where all count.

    Arguments:
        silent: bool, broadcastable to `rows`, or None.
        rows: their shape.
    """
    if silent is None:
        return np.empty(0, np.uint8)
    flat: NDArray[np.uint8] = silent.expand(tuple(rows)).reshape(-1).view(torch.uint8).numpy()
    return flat


def totals(size: int, columns: int) -> NDArray[np.int64]:
    """Room for what each share of the work on `size` elements counts, (shares, columns)."""
    from las.neurons.kernels import CHUNK

    return np.zeros((-(-size // CHUNK), columns), dtype=np.int64)

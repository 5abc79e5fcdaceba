"""The gated product on a GPU, in one kernel (Eq. 21)."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from las.neurons.gpu.coding import (
    ELEMENTS,
    NUMBERS,
    UNFUSED,
    add,
    add_firing,
    beyond,
    code_by_hg,
    code_by_oat,
    too_large,
)
from las.neurons.gpu.tables import hg_tensors, oat_tensors
from las.neurons.hg import HG
from las.neurons.oat import OAT


@triton.jit(do_not_specialize=NUMBERS)
def _gate(
    gate, up, product, heard, totals,
    lowest, octaves, sub_neurons, emits, hg_scalars, steps, bands, scalars, whole, n, width,
    N, OCTAVES, T, BANDS: tl.constexpr,
    PADDED: tl.constexpr, COUNT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """f_hat(gate) o phi(up), element by element (Eq. 21)."""
    places = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = places < n
    g = tl.load(gate + places, mask=inside, other=0.0).to(tl.float32)
    u = tl.load(up + places, mask=inside, other=0.0).to(tl.float32)
    of_gate, fired = code_by_hg(
        g, lowest, octaves, sub_neurons, emits, hg_scalars, OCTAVES, N, COUNT
    )
    of_up, also = code_by_oat(u, steps, bands, scalars, whole, T, BANDS, COUNT)
    tl.store(product + places, (of_gate * of_up).to(product.dtype.element_ty), mask=inside)
    if COUNT:
        told = inside
        if PADDED:
            told = inside & (tl.load(heard + places // width, mask=inside, other=0) != 0)
        add(totals, tl.where(told, fired & 0xFF, 0))
        add(totals + 1, (told & beyond(g, hg_scalars)).to(tl.int32))
        add_firing(totals + 2, tl.where(told, also, 0))
        add(totals + 5, (told & too_large(u, scalars)).to(tl.int32))


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
        The product; spikes and inputs out of range of the function; and spikes, their digits,
        inputs that fire and inputs out of range of the others, int64 (6,).
    """
    product = torch.empty_like(gate)
    totals = torch.zeros(6, dtype=torch.int64, device=gate.device)
    function, coder = (
        hg_tensors(neurons[0], stop, gate.device),
        oat_tensors(neurons[1], stop, gate.device),
    )
    heard = totals if padding is None else (~padding).contiguous().view(torch.uint8)
    if gate.numel():
        with torch.cuda.device_of(gate):
            _gate[(triton.cdiv(gate.numel(), ELEMENTS),)](
                gate, up, product, heard, totals, *function, *coder,
                gate.numel(), gate.shape[-1], function.sub_neurons.shape[1],
                len(function.octaves) // 2, len(coder.steps), len(coder.bands),
                padding is not None, count, ELEMENTS, **UNFUSED,
            )  # fmt: skip
    return product, totals

"""Norms on a GPU, in one kernel (Eq. 14)."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from las.neurons.gpu.coding import (
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

_NUMBERS = ["SQUARE_N", "ROOT_N", "SQUARE_OCTAVES", "ROOT_OCTAVES", "IN_T", "OUT_T"]
"""See `coding.NUMBERS`."""


@triton.jit(do_not_specialize=_NUMBERS)
def _normalise(
    x, y, gamma, beta, heard, totals,
    square_lowest, square_octaves, square_neurons, square_emits, square_scalars,
    root_lowest, root_octaves, root_neurons, root_emits, root_scalars,
    in_steps, in_bands, in_scalars, in_whole, out_steps, out_bands, out_scalars, out_whole,
    eps, width, SQUARE_N, ROOT_N, SQUARE_OCTAVES, ROOT_OCTAVES, IN_T, OUT_T,
    IN_BANDS: tl.constexpr, OUT_BANDS: tl.constexpr,
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
    squares, of_squares = code_by_hg(
        z, square_lowest, square_octaves, square_neurons, square_emits, square_scalars,
        SQUARE_OCTAVES, SQUARE_N, COUNT,
    )  # fmt: skip
    mean = tl.zeros((1,), tl.float32) + tl.sum(tl.where(inside, squares, 0.0), 0) / width + eps
    inverse, of_root = code_by_hg(
        mean, root_lowest, root_octaves, root_neurons, root_emits, root_scalars, ROOT_OCTAVES,
        ROOT_N, COUNT,
    )  # fmt: skip
    coded, of_inputs = code_by_oat(
        z, in_steps, in_bands, in_scalars, in_whole, IN_T, IN_BANDS, COUNT
    )
    normed = coded * inverse
    value, of_outputs = code_by_oat(
        normed, out_steps, out_bands, out_scalars, out_whole, OUT_T, OUT_BANDS, COUNT
    )
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
        add(totals, tl.where(told, of_squares & 0xFF, 0))
        add(totals + 1, (told & beyond(z, square_scalars)).to(tl.int32))
        add(totals + 2, tl.where(alone, of_root & 0xFF, 0))
        add(totals + 3, (alone & beyond(mean, root_scalars)).to(tl.int32))
        add_firing(totals + 4, tl.where(told, of_inputs, 0))
        add(totals + 7, (told & too_large(z, in_scalars)).to(tl.int32))
        add_firing(totals + 8, tl.where(told, of_outputs, 0))
        add(totals + 11, (told & too_large(normed, out_scalars)).to(tl.int32))


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
        The norm; spikes and inputs out of range of square and root; and of the two others spikes,
        their digits, inputs that fire and inputs out of range, int64 (12,).
    """
    y = torch.empty_like(x)
    width = x.shape[-1]
    totals = torch.zeros(12, dtype=torch.int64, device=x.device)
    square, root = (hg_tensors(one, stop, x.device) for one in neurons[:2])
    before, after = (oat_tensors(one, stop, x.device) for one in neurons[2:])
    heard = totals if padding is None else (~padding).contiguous().view(torch.uint8)
    if x.numel():
        with torch.cuda.device_of(x):
            _normalise[(x.numel() // width,)](
                x, y, x if gamma is None else gamma, x if beta is None else beta, heard, totals,
                *square, *root, *before, *after,
                eps, width, square.sub_neurons.shape[1], root.sub_neurons.shape[1],
                len(square.octaves) // 2, len(root.octaves) // 2,
                len(before.steps), len(after.steps), len(before.bands), len(after.bands),
                centred, gamma is not None, beta is not None,
                padding is not None, count, triton.next_power_of_2(width),
                num_warps=warps(width), **UNFUSED,
            )  # fmt: skip
    return y, totals


def warps(width: int) -> int:
    """How many warps hold a token of this width."""
    return 4 if width <= 1024 else 8 if width <= 2048 else 16

"""Whether a tensor holds spikes, and of which levels they are."""

from __future__ import annotations

import torch
from torch import Tensor

LARGEST = 31
"""Spikes have levels up to this one, as neurons with H = 16 have: 8-bit pixels are no spikes."""

_PEEKED = 4096
"""So many values tell most tensors that hold no spikes."""


def levels_of(x: Tensor, time_steps: int = 1) -> Tensor | None:
    """The signed level of every spike, if a tensor holds spikes and silence alone.

    Spikes are multiples of one step, up to 31 times. In {-1, 0, 1} times a common factor all of
    them are of level 1.

    Arguments:
        x: any shape, finite.
        time_steps: T. Where dimension 0 is time, or begins with it, the step may be another one at
            each time step.

    Returns:
        int8, the shape of x, 0 for silence; None where x holds something else than spikes.
    """
    found = _of_one_step(x)
    if found is None and time_steps > 1 and x.dim() and x.shape[0] % time_steps == 0:
        each = [_of_one_step(part) for part in x.chunk(time_steps)]
        known = [levels for levels in each if levels is not None]
        found = torch.cat(known) if len(known) == len(each) else None
    return found


def digits(levels: Tensor) -> Tensor:
    """The nonzero digits of each level in the non-adjacent form, 0 for silence.

    Those are the ones of n XOR 3n: 7 = 8 - 1 has two of them, and 0, 1, 2, 4 ... have one at most.

    Arguments:
        levels: integers of either sign, any shape.

    Returns:
        int8, the shape of `levels`.
    """
    n = levels.to(torch.int16).abs()
    changed = n ^ (3 * n)
    return sum(((changed >> bit) & 1).to(torch.int8) for bit in range(7))  # type: ignore[return-value]


def _of_one_step(x: Tensor) -> Tensor | None:
    """As `levels_of`, for one step that all spikes have in common."""
    if not x.numel():
        return torch.zeros_like(x, dtype=torch.int8)
    magnitude = x.abs()
    top = magnitude.max()
    if bool(((magnitude == 0) | (magnitude == top)).all()):
        return torch.sign(x).to(torch.int8)
    if not x.is_floating_point():
        magnitude = magnitude.double()
    fired = magnitude[magnitude != 0]
    for part in (fired[:_PEEKED], fired):
        values = torch.unique(part)
        if len(values) > LARGEST:
            return None
    step = _step_of(values.double(), torch.finfo(magnitude.dtype).eps)
    return None if step is None else torch.round(x.double() / step).to(torch.int8)


def _step_of(values: Tensor, precision: float) -> float | None:
    """The largest step of which all values are multiples, up to the largest level; None for none.

    Arguments:
        values: different magnitudes, ascending, float64.
        precision: relative error of rounding in the dtype that they came in.
    """
    for divisor in range(1, LARGEST + 1):
        step = float(values[0]) / divisor
        ratio = values / step
        if float(ratio[-1]) > LARGEST + 0.5:
            return None
        if bool(((ratio - ratio.round()).abs() <= 4 * precision * ratio).all()):
            return step
    return None

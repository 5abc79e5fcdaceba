"""Thresholds for each channel: octaves by which they are above or below those of a site."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_APART = 4
"""The most of them: on other data than was seen, the gradient of a channel may be larger."""


def shifts_for(squares: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """By how many octaves the thresholds of channels are to be above those of a typical one.

    An error e costs g^2 e^2: a channel with half the gradients has thresholds twice as large.

    Arguments:
        squares: by site, the sums of squared gradients g of each channel, (channels,).

    Returns:
        By site, (channels,); only of sites where they differ.
    """
    shifts = {site: _octaves_apart(one) for site, one in squares.items()}
    return {site: one for site, one in shifts.items() if any(one)}


def _octaves_apart(squares: Tensor) -> tuple[int, ...]:
    """Those of one site."""
    some = squares[squares > 0]
    if not len(some):
        return ()
    typical = some.log2().mean()  # channels without gradients would move all others
    apart = ((typical - squares.clamp_min(some.min()).log2()) / 2).round().clamp(-_APART, _APART)
    return tuple(int(one) for one in apart.tolist())


def units_of(shifts: tuple[int, ...], x: Tensor) -> Tensor:
    """2^shifts, (channels,), in the dtype and on the device of x."""
    return x.new_tensor([2.0**shift for shift in shifts])

"""Dyadic bins of magnitudes: 16 in each octave, read off the bits of a float32."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LOW_EXPONENT = -40
OCTAVES = 80
SUB_BITS = 4
PER_OCTAVE = 2**SUB_BITS
BINS = OCTAVES * PER_OCTAVE

_MANTISSA = 23
_LOWEST = (127 + LOW_EXPONENT) << SUB_BITS


def edges() -> NDArray[np.float64]:
    """Boundaries of the bins, (BINS + 1,), ascending."""
    index = np.arange(BINS + 1)
    within = 1 + (index % PER_OCTAVE) / PER_OCTAVE
    return np.asarray(2.0 ** (LOW_EXPONENT + index // PER_OCTAVE) * within)


def bins_of(x: Tensor) -> Tensor:
    """Which bin each magnitude lies in, int32; the first or the last one beyond them."""
    bits = x.float().contiguous().view(torch.int32) & 0x7FFFFFFF
    return ((bits >> (_MANTISSA - SUB_BITS)) - _LOWEST).clamp(0, BINS - 1)


def octaves_of(x: Tensor) -> Tensor:
    """Which octave each magnitude lies in, likewise."""
    return bins_of(x) >> SUB_BITS


def by_octave(of_bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the bins of each octave, (BINS,) to (OCTAVES,)."""
    return np.asarray(of_bins.reshape(OCTAVES, PER_OCTAVE).sum(1))

"""Dyadic bins of magnitudes: 16 in each octave, read off the bits of a float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOW_EXPONENT = -40
OCTAVES = 80
SUB_BITS = 4
PER_OCTAVE = 2**SUB_BITS
BINS = OCTAVES * PER_OCTAVE


def edges() -> NDArray[np.float64]:
    """Boundaries of the bins, (BINS + 1,), ascending."""
    index = np.arange(BINS + 1)
    within = 1 + (index % PER_OCTAVE) / PER_OCTAVE
    return np.asarray(2.0 ** (LOW_EXPONENT + index // PER_OCTAVE) * within)

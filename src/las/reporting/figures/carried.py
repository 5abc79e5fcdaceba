"""The values that spike trains carry, for the figures of neurons."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from las.reporting.figures.style import Array

POINTS = 4001
"""Points of a curve."""


def carried(spikes: Iterable[torch.Tensor]) -> Array:
    """What the weighted spikes of all time steps add up to."""
    value: Array = torch.stack(list(spikes)).sum(0).numpy()
    return value

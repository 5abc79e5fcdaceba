"""What a neuron's fused path returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

_READ_AT_ONCE = ("cpu",)
"""Devices that count as they go."""


def total(x: Tensor) -> int:
    """How many a tensor counts or marks.

    On a GPU it is a tensor without dimensions that stands for the number: to read it would hold the
    pass up. `SpikeTally.settle` reads all of them at the end.
    """
    found = x.sum(dtype=torch.int64)
    return int(found) if x.device.type in _READ_AT_ONCE else cast(int, found)


@dataclass(frozen=True)
class SpikeEncoding:
    """The result of coding a tensor with spikes over all T steps at once.

    Attributes:
        value: sum over t of the weighted spikes, the shape and dtype of the input.
        counts: spikes of each input, int8, the shape of the input; None if nobody counts.
        spikes: their sum; 0 if nobody counts.
        out_of_range: number of inputs beyond the representable or calibrated range; 0 if nobody
            counts.
    """

    value: Tensor
    counts: Tensor | None = None
    spikes: int = 0
    out_of_range: int = 0

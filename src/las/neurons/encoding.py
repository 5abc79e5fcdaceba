"""What a neuron's fused path returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor

_READ_AT_ONCE = ("cpu",)
"""Devices whose numbers are read as they come."""


def read_at_once(x: Tensor) -> bool:
    """Whether to read a number of a tensor's device holds nothing up."""
    return x.device.type in _READ_AT_ONCE


def total(x: Tensor) -> int:
    """How many a tensor counts or marks.

    On a GPU it is a tensor without dimensions that stands for the number: to read it would hold the
    pass up. `SpikeTally.settle` reads all of them at the end.
    """
    found = x.sum(dtype=torch.int64)
    return int(found) if read_at_once(x) else cast(int, found)


class Firing(NamedTuple):
    """What neurons have fired, or times their synapses, what that causes.

    Sums and multiples are those of its numbers. It is a named tuple because `torch.compile` cannot
    make a dataclass that holds no tensor.

    Attributes:
        spikes: spikes, or the accumulations that they cause (SOPs).
        digits: the same, each spike weighed with the nonzero signed binary digits of its level
            H + k: the additions that it takes where a weight can be shifted, but not multiplied.
        active: inputs that fire at all, or the synapses of these.
    """

    spikes: int = 0
    digits: int = 0
    active: int = 0

    @classmethod
    def plain(cls, spikes: int) -> Firing:
        """Spikes of one level, each with an output weight of its own, as HG neurons fire them."""
        return cls(spikes, spikes, spikes)

    @classmethod
    def of(cls, packed: Tensor, read: Callable[[Tensor], int] = total) -> Firing:
        """What some neurons have fired.

        Arguments:
            packed: see `SpikeEncoding`.
            read: adds up how often each of some numbers is read; once by default.
        """
        spikes = packed & 0xFF
        return cls(read(spikes), read(packed >> 8), read((spikes != 0).to(packed.dtype)))

    def __add__(self, other: Firing) -> Firing:  # type: ignore[override]
        return Firing(
            self.spikes + other.spikes, self.digits + other.digits, self.active + other.active
        )

    def __mul__(self, synapses: int) -> Firing:  # type: ignore[override]
        return Firing(self.spikes * synapses, self.digits * synapses, self.active * synapses)


NOTHING = Firing()


@dataclass(frozen=True)
class SpikeEncoding:
    """The result of coding a tensor with spikes over all T steps at once.

    Attributes:
        value: sum over t of the weighted spikes, the shape and dtype of the input.
        packed: spikes of each input, and 256 times the digits of their levels (see `Firing`),
            int16, the shape of the input; None if nobody counts.
        firing: their sums; nothing if nobody counts.
        out_of_range: number of inputs beyond the representable or calibrated range; 0 if nobody
            counts.
        rows: spikes, their digits and inputs that fire of each row, int64 (...) each for an input
            (..., n), where they have been summed already.
    """

    value: Tensor
    packed: Tensor | None = None
    firing: Firing = NOTHING
    out_of_range: int = 0
    rows: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def counts(self) -> Tensor | None:
        """Spikes of each input, int8; None if nobody counts."""
        return None if self.packed is None else (self.packed & 0xFF).to(torch.int8)

    @property
    def spikes(self) -> int:
        """Spikes of all inputs."""
        return self.firing.spikes


def digits_of(levels: Tensor) -> Tensor:
    """Nonzero signed binary digits of whole numbers, in the form with the fewest of them.

    They are the places where a number and three times the number differ.
    """
    whole = levels.abs().to(torch.int32)
    differ = whole ^ (3 * whole)
    differ = (differ & 0x55) + ((differ >> 1) & 0x55)  # 3 (2 H - 1) has seven bits at most
    differ = (differ & 0x33) + ((differ >> 2) & 0x33)
    return (differ & 0x0F) + (differ >> 4)

"""An energy, divided by what it goes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Parts:
    """An energy in pJ.

    Attributes:
        arithmetic: additions, products, comparisons.
        weights: reading weights, the stored operand of a product, and parameters of neurons.
        states: reading and writing membrane potentials.
        events: writing and reading spikes.
        activations: reading and writing numbers that the ANN's operations hand on.
    """

    arithmetic: float = 0.0
    weights: float = 0.0
    states: float = 0.0
    events: float = 0.0
    activations: float = 0.0

    @property
    def total(self) -> float:
        """All of it, in pJ."""
        return sum(getattr(self, name) for name in NAMES)

    @classmethod
    def sum(cls, several: Iterable[Parts]) -> Parts:
        """Several as one."""
        several = list(several)
        return cls(*(sum(getattr(one, name) for one in several) for name in NAMES))


NAMES = tuple(each.name for each in fields(Parts))
"""The parts, in the order in which they are shown."""

"""What neurons have made of the tensors of a pass, for other layers that read the same ones."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from las.baselines.population import Population


class Fired(NamedTuple):
    """A time step of some neurons.

    Attributes:
        before: who has taken it; None for neurons that had been at rest.
        after: the neurons after it; `before` itself, unless other layers hold that too.
        read: what a layer reads instead of their input.
    """

    before: Population | None
    after: Population
    read: Tensor


class FiredInPass:
    """The time steps that have been taken with each tensor, for as long as the tensor lives.

    A copy, deep or pickled, begins with nothing.
    """

    def __init__(self) -> None:
        self._by_input: MutableMapping[Tensor, list[tuple[list[int], Fired]]]
        self._by_input = WeakTensorKeyDictionary()

    def __reduce__(self) -> tuple[type[FiredInPass], tuple[()]]:
        return FiredInPass, ()

    def find(self, x: Tensor, neurons: Population | None, threshold: Tensor) -> Fired | None:
        """The time step that these neurons have taken with this very tensor, unchanged since.

        Under `torch.inference_mode`, where nobody counts changes, there is none.

        Arguments:
            x: input.
            neurons: before the time step; None for those at rest.
            threshold: theirs, dtype and device of x: those at rest differ in nothing else.
        """
        for versions, fired in self._by_input.get(x, ()):
            same = fired.before is neurons and versions == _versions(x, fired.read)
            if same and (neurons or torch.equal(threshold, fired.after.threshold)):
                return fired
        return None

    def add(self, x: Tensor, fired: Fired) -> None:
        """Keep a time step for other layers that read x."""
        if not x.is_inference():
            self._by_input.setdefault(x, []).append((_versions(x, fired.read), fired))

    def forget(self) -> None:
        """The pass is over."""
        self._by_input.clear()


def _versions(*tensors: Tensor) -> list[int]:
    """How often each has been changed in place."""
    return [x._version for x in tensors]

"""How the neurons of a model behave right now: fused, step by step, or only observed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from torch import Tensor


class Observer(Protocol):
    """What collects activation statistics while neurons pass their inputs through unchanged."""

    def observe(self, site: Any, x: Tensor) -> None:
        """Take note of the inputs of a neuron site."""


_SIMULATING: ContextVar[bool] = ContextVar("las_simulating", default=False)
_OBSERVER: ContextVar[Observer | None] = ContextVar("las_observer", default=None)


def simulating() -> bool:
    """Whether components run the step simulator instead of the fused path."""
    return _SIMULATING.get()


def observer() -> Observer | None:
    """The observer in charge, or None where neurons spike."""
    return _OBSERVER.get()


@contextmanager
def simulate() -> Iterator[None]:
    """Run every component step by step over T inside the block."""
    token = _SIMULATING.set(True)
    try:
        yield
    finally:
        _SIMULATING.reset(token)


@contextmanager
def observing(by: Observer) -> Iterator[None]:
    """Pass activations through unchanged inside the block and show them to `by`."""
    token = _OBSERVER.set(by)
    try:
        yield
    finally:
        _OBSERVER.reset(token)

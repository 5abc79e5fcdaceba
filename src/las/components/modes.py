"""How the neurons of a model behave right now: fused or step by step, stopped, or only observed."""

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
_STOP: ContextVar[int | None] = ContextVar("las_stop", default=None)
_OBSERVER: ContextVar[Observer | None] = ContextVar("las_observer", default=None)


def simulating() -> bool:
    """Whether components run the step simulator instead of the fused path."""
    return _SIMULATING.get()


def stopped() -> int | None:
    """After how many of its T time steps every neuron falls silent; None where none does."""
    return _STOP.get()


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
def stop_after(steps: int) -> Iterator[None]:
    """Let every neuron fire in the first `steps` of its T time steps only inside the block."""
    token = _STOP.set(steps)
    try:
        yield
    finally:
        _STOP.reset(token)


@contextmanager
def observing(by: Observer) -> Iterator[None]:
    """Pass activations through unchanged inside the block and show them to `by`."""
    token = _OBSERVER.set(by)
    try:
        yield
    finally:
        _OBSERVER.reset(token)

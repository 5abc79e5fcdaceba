"""What the neurons of published conversions have in common: one pure step function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

State = TypeVar("State")


class Neuron(ABC, Generic[State]):
    """Parameters of a neuron and its step, in units of its threshold.

    A neuron reads one current I(t) at each time step and emits S(t), which stands for S(t) times
    its threshold. Soft reset throughout: what is emitted is taken from the membrane potential v.

    Attributes:
        signed: whether it emits both signs. Neurons that do not come in pairs, one of which reads
            the currents with the opposite sign; what the pair emits is the difference. Their S(t)
            is a number of spikes.
        warm_up: time steps that run before the T ones; `restart` follows them.
        finest: what it emits at least, if anything; all that it emits is a multiple of it.
    """

    signed: ClassVar[bool] = True
    warm_up: int = 0
    finest: ClassVar[float] = 1.0

    @abstractmethod
    def begin(self, like: Tensor) -> State:
        """The state before the first time step.

        Arguments:
            like: a tensor of the shape, dtype and device of the currents.
        """

    @abstractmethod
    def step(self, current: Tensor, state: State, t: int) -> tuple[Tensor, State]:
        """One time step.

        Arguments:
            current: I(t), any shape.
            state: after the time step before.
            t: the time step, 1 to T.

        Returns:
            S(t), the shape of the current, and the state after it.
        """

    def respond(self, current: Tensor, time_steps: int) -> tuple[Tensor, Tensor]:
        """What T time steps come to if all of the current comes at the first one.

        Arguments:
            current: I(1), any shape.
            time_steps: T.

        Returns:
            The sum of S(t), and how many spikes there are in all of them, the shape of the current.
        """
        emitted, state = self.step(current, self.begin(current), 1)
        spikes, silence = self.spikes(emitted), torch.zeros_like(current)
        for t in range(2, time_steps + 1):
            further, state = self.step(silence, state, t)
            emitted, spikes = emitted + further, spikes + self.spikes(further)
        return emitted, spikes

    def restart(self, state: State) -> State:
        """The state before the T time steps, from what the warm-up has led to."""
        return state

    def largest(self, time_steps: int) -> float:
        """The largest sum of S(t) over T time steps."""
        return time_steps

    def spikes(self, emitted: Tensor) -> Tensor:
        """How many spikes are in S(t): of both signs, one where it is not zero; else S(t)."""
        return emitted.sign().abs_() if self.signed else emitted


def at_least(v: Tensor, threshold: float) -> Tensor:
    """1 where v >= threshold, else 0, in the dtype of v: ten times as fast as by way of bool."""
    return torch.ge(v, threshold, out=torch.empty_like(v))

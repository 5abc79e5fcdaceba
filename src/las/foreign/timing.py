"""Where time is in what a model did: in dimension 0 of tensors, or in the order of calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from las.foreign.watch import Call, Pass

StepMode = Literal["s", "m"]
"""As SpikingJelly has it: "s", a module is called at each time step; "m", once for all of them."""


@dataclass(frozen=True)
class Timing:
    """How time runs in one pass.

    Attributes:
        time_steps: T.
        step_mode: "s" or "m".
        rows: in mode "m" tensors of that length have no time; see `rows_without_time`.
    """

    time_steps: int
    step_mode: StepMode
    rows: int | None

    def in_time(self, calls: Sequence[Call]) -> bool:
        """Whether calls of one module cover the T time steps; else it is called outside of time."""
        if self.step_mode == "s":
            return len(calls) % self.time_steps == 0
        return all(self._has_time(seen.shape) for call in calls for seen in call.seen)

    def trains(self, calls: Sequence[Call], operand: int) -> list[Tensor]:
        """The spikes of one operand over time.

        Arguments:
            calls: of one module, in order.
            operand: which of the tensors of each call.

        Returns:
            Levels (T, ...), as many as the module is called at each time step in mode "s", and for
            each call in mode "m"; (1, ...) where the module is called outside of time.
        """
        levels = [one for call in calls if (one := call.seen[operand].levels) is not None]
        if not self.in_time(calls):
            return [one[None] for one in levels]
        if self.step_mode == "m":
            steps = self.time_steps
            return [one.reshape(steps, len(one) // steps, *one.shape[1:]) for one in levels]
        each = len(levels) // self.time_steps
        return [torch.stack(levels[first::each]) for first in range(each)]

    def _has_time(self, shape: torch.Size) -> bool:
        if len(shape) < 2 or shape[0] % self.time_steps:
            return False
        return shape[0] == self.time_steps or shape[0] != self.rows


def step_mode_of(done: Pass, modules: Iterable[object], time_steps: int) -> StepMode:
    """Whether a model that has been watched runs step by step.

    Arguments:
        done: what it did in one pass.
        modules: its neurons; SpikingJelly's say it.
        time_steps: T.
    """
    said = {getattr(module, "step_mode", None) for module in modules}
    if "m" in said:
        return "m"
    if "s" in said:
        return "s"
    calls = [len(calls) for calls in (*done.operations.values(), *done.neurons.values())]
    stepwise = [number for number in calls if number % time_steps == 0]
    return "s" if 2 * len(stepwise) > len(calls) else "m"


def rows_without_time(batch: Any, done: Pass, time_steps: int) -> int | None:
    """The length of tensors that have no time in a model that takes all time steps at once.

    It is N, the rows of the batch, if tensors of length T or T N show that the model adds or begins
    with time: then what has N rows comes before it, or after an average over it. In a model whose
    batch is (T N, ...) itself there are no such tensors.

    Arguments:
        batch: whatever was run; its first tensor has N rows, or T and then N.
        done: what the model did with it.
        time_steps: T.

    Returns:
        N, or None if there is no telling.
    """
    parts = [*batch.values()] if isinstance(batch, Mapping) else batch
    if not isinstance(parts, (list, tuple)):
        parts = [batch]
    found = [x for x in parts if isinstance(x, Tensor) and x.dim()]
    if not found:
        return None
    shape = found[0].shape
    begins = shape[0] == time_steps and len(shape) > 2
    rows = shape[1] if begins else shape[0]
    calls = [
        call for calls in (*done.operations.values(), *done.neurons.values()) for call in calls
    ]
    lengths = {seen.shape[0] for call in calls for seen in call.seen if len(seen.shape) > 1}
    return rows if lengths & ({time_steps, time_steps * rows} - {rows}) else None

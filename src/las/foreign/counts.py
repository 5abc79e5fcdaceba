"""What spikes cause, added up over passes: sites and operations of a tally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from las.foreign.timing import Timing
from las.foreign.watch import Call
from las.neurons.encoding import digits_of
from las.neurons.tally import OperationCount, SiteCount

INPUT = "input"
"""The kind of a site that is the input of an operation, where no neurons are known."""


@dataclass
class Operated:
    """One operation.

    Attributes:
        spikes: what it costs if its inputs are counted as spikes; its MACs, inputs and outputs are
            those of one time step.
        dense_macs: multiply-accumulates that it makes if they are not.
        sample: some values of an operand that is no spike train, where none of them is.
        reads_spikes: whether one operand at least has been a spike train in every call.
        right_alone: whether it is a product of which only the right operand has been one.
        outside_of_time: whether it was called once and not for each time step.
    """

    spikes: OperationCount
    dense_macs: int = 0
    sample: tuple[float, ...] = ()
    reads_spikes: bool = True
    right_alone: bool = False
    outside_of_time: bool = False
    _spiking: list[bool] = field(default_factory=list)
    _of_each: list[OperationCount] = field(default_factory=list)

    def add(self, calls: Sequence[Call], timing: Timing) -> None:
        """Add the calls of one pass."""
        macs = sum(call.macs for call in calls)
        in_time = timing.in_time(calls)
        self.outside_of_time |= not in_time
        self.dense_macs += macs
        steps = timing.time_steps if in_time else 1
        count = self.spikes
        count.macs += macs // steps
        count.inputs += sum(seen.shape.numel() for call in calls for seen in call.seen) // steps
        count.outputs += sum(call.outputs for call in calls) // steps
        count.weights = max(count.weights, *(call.weights for call in calls))
        operands = range(len(calls[0].seen))
        if not self._of_each:
            self._spiking = [True for _ in operands]
            self._of_each = [OperationCount("", "") for _ in operands]
        for operand in operands:
            looked = [call.seen[operand] for call in calls]
            if any(seen.levels is None for seen in looked):
                self._spiking[operand] = False
                self.sample = next(seen.sample for seen in looked if seen.levels is None)
            if self._spiking[operand]:
                trains = timing.trains(calls, operand)
                for train, seen in zip(trains, looked, strict=False):
                    _add_train(self._of_each[operand], train, seen.reads)

    def charge_dense(self) -> None:
        """Charge its multiply-accumulates, whatever it reads."""
        self._spiking = [False for _ in self._spiking]

    def finished(self) -> OperationCount:
        """What there is to be charged: spikes where an operand has always been a spike train."""
        count, spiking = self.spikes, self._spiking
        self.reads_spikes = any(spiking)
        self.right_alone = spiking == [False, True]
        if not self.reads_spikes:
            count.dense_macs = self.dense_macs
            return count
        for each, spikes in zip(self._of_each, spiking, strict=True):
            if spikes:
                count.sops += each.sops
                count.additions += each.additions
                count.fetches += each.fetches
        if len(spiking) == 2 and all(spiking):
            early = self._of_each[1]
            count.early_sops = early.sops
            count.early_additions = early.additions
            count.early_fetches = early.fetches
        return count


@dataclass
class Population:
    """Neurons of one site, and the magnitudes that their spikes have had."""

    count: SiteCount
    sample: tuple[float, ...] = ()
    _levels: set[int] = field(default_factory=set)

    def add(self, calls: Sequence[Call], timing: Timing, operand: int = 0) -> None:
        """Add the calls of one pass."""
        for seen in (call.seen[operand] for call in calls):
            if seen.levels is None:
                self.sample = seen.sample
        if self.sample:
            return
        for train in timing.trains(calls, operand):
            fired = train != 0
            self.count.time_steps = len(train)
            self.count.activations += train[0].numel()
            self.count.spikes += int(fired.sum())
            self.count.digits += int(digits_of(train).sum())
            self.count.active += int(fired.any(0).sum())
            self._levels.update(train.abs().unique().tolist())
        self.count.levels = max(1, len(self._levels - {0}))


def _add_train(count: OperationCount, train: Tensor, reads: int | Tensor) -> None:
    """Add what the spikes of one operand cause.

    Arguments:
        count: what is added to.
        train: levels (T, ...).
        reads: accumulations that each element feeds, broadcastable to one time step.
    """
    fired = train != 0
    count.sops += _sum(fired.sum(0, dtype=torch.int64) * reads)
    count.additions += _sum(digits_of(train).sum(0, dtype=torch.int64) * reads)
    count.fetches += _sum(fired.any(0).to(torch.int64) * reads)


def _sum(x: Tensor) -> int:
    return int(x.sum())

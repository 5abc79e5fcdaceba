"""The neurons before one call of a linear layer, and what they have come to."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from las.baselines.methods import Method

_AT_ONCE = 2**15
"""How many inputs go through a time step at once on a processor: what its cache holds."""


@dataclass
class _Rows:
    """Some rows of the inputs while the time steps go by.

    Attributes:
        state: of the neurons, (1 or 2, ...): pairs where they fire one sign only.
        so_far: the sum of all inputs, the pass before included.
        driven: the sum of all currents, in units of the threshold.
        emitted: the sum of all spikes, likewise.
        spikes: how many there have been at each neuron, those of the warm-up too.
    """

    state: Any
    so_far: Tensor
    driven: Tensor
    emitted: Tensor
    spikes: Tensor

    def copy(self) -> _Rows:
        """The same, with sums of its own; what is replaced at each time step may stay."""
        sums = (self.driven.clone(), self.emitted.clone(), self.spikes.clone())
        return _Rows(self.state, self.so_far, *sums)


class Population:
    """Neurons, one or a pair for each input, at rest until their first time step.

    Arguments:
        method: says what fires, and how time runs.
        threshold: (channels,) or (1,), dtype and device of x.
        x: of the form of the inputs, (..., channels).

    Attributes:
        shared: whether several layers hold them.
    """

    def __init__(self, method: Method, threshold: Tensor, x: Tensor) -> None:
        self.threshold = threshold
        self.shape = x.shape
        self.shared = False
        self._method = method
        self._warmed_up = False
        neuron = method.neuron
        self._rows = []
        for like in _parts(x):
            state = neuron.begin(like.new_empty((1 if neuron.signed else 2, *like.shape)))
            self._rows.append(_Rows(state, *(torch.zeros_like(like) for _ in range(4))))

    def apart(self) -> Population:
        """These neurons for one layer: a copy where others hold them too."""
        if not self.shared:
            return self
        other = copy.copy(self)
        other.shared = False
        other._rows = [rows.copy() for rows in self._rows]
        return other

    def step(self, x: Tensor, t: int) -> Tensor:
        """One time step; with time "layerwise" all of them.

        Arguments:
            x: input, in the form in which the method carries tensors.
            t: the time step, 1 to T.

        Returns:
            What a layer reads instead of x, its shape and dtype.
        """
        read = torch.empty_like(x, memory_format=torch.contiguous_format)
        for rows, part, out in zip(self._rows, _parts(x), _parts(read), strict=True):
            self._step(rows, part, t, out)
        return read

    def restart(self) -> None:
        """The warm-up is over: what it has added up does not count, but its spikes do."""
        if self._warmed_up:
            return  # another layer that reads the same has said so
        self._warmed_up = True
        for rows in self._rows:
            zeros = [torch.zeros_like(rows.so_far) for _ in range(3)]
            rows.so_far, rows.driven, rows.emitted = zeros
            rows.state = self._method.neuron.restart(rows.state)

    def counts(self) -> Tensor:
        """Of each vector: spikes, inputs that fire at all, inputs out of range; (..., 3), int64."""
        largest = self._method.neuron.largest(self._method.time_steps)
        found = []
        for rows in self._rows:
            beyond = rows.driven.abs()
            torch.gt(beyond, largest, out=beyond)
            marks = (rows.spikes.sign(), beyond)
            spikes = rows.spikes.sum(-1, dtype=torch.float64)  # may be more than float32 can count
            sums = (spikes, *(mark.sum(-1, dtype=torch.float32) for mark in marks))
            found.append(torch.stack([each.to(torch.int64) for each in sums], -1))
        return torch.cat(found).view(*self.shape[:-1], 3)

    def _step(self, rows: _Rows, x: Tensor, t: int, read: Tensor) -> None:
        """One time step of some rows; `read` is filled."""
        neuron, time = self._method.neuron, self._method.time
        population = x.new_empty((1 if neuron.signed else 2, *x.shape))
        current = population[0]
        if time in ("instantaneous", "layerwise"):
            torch.div(x, self.threshold, out=current)
        else:
            so_far = t * x if time == "expectation" else x.clone()
            torch.sub(so_far, rows.so_far, out=current).div_(self.threshold)
            rows.so_far = so_far
        if not neuron.signed:
            torch.neg(current, out=population[1])
        rows.driven += current
        if time == "layerwise":
            fired, spikes = neuron.respond(population, self._method.time_steps)
        else:
            fired, rows.state = neuron.step(population, rows.state, t)
            spikes = neuron.spikes(fired)
        for of_sign in spikes:
            rows.spikes += of_sign
        now = fired[0] if neuron.signed else fired[0] - fired[1]
        rows.emitted += now
        if time == "expectation":
            torch.div(rows.emitted, t, out=read).mul_(self.threshold)
        else:
            emitted = now if time == "instantaneous" else rows.emitted
            torch.mul(emitted, self.threshold, out=read)


def _parts(x: Tensor) -> tuple[Tensor, ...]:
    """The vectors of x, (n, channels), as many at once as go through a time step."""
    rows = x.reshape(-1, x.shape[-1])
    at_once = _AT_ONCE // rows.shape[1] if x.device.type == "cpu" else len(rows)
    return rows.split(max(1, at_once))

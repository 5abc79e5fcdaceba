"""The neurons before one linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from las.baselines.methods import Method
from las.baselines.part import Part
from las.neurons.encoding import Firing, total

_AT_ONCE = 2**15
"""How many inputs go through a time step at once on a processor: what its cache holds."""


@dataclass
class _Group:
    """Some rows of the inputs of one call of a layer while the time steps go by.

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


@dataclass
class _Call:
    """One call of a layer: the shape of its input, and the groups that its rows make."""

    shape: torch.Size
    groups: list[_Group]


class Site(Part):
    """A population of neurons, one or a pair for each input of a linear layer.

    Attributes:
        method: says what fires, and how time runs.
        outputs: of the layer; each spike causes so many accumulations.
        threshold: (channels,), or (1,) for the whole tensor.
    """

    threshold: Tensor

    def __init__(self, method: Method, outputs: int, threshold: Tensor) -> None:
        super().__init__()
        self.method = method
        self.outputs = outputs
        self.register_buffer("threshold", threshold)
        self._calls: list[_Call] = []
        self._number = 0

    def hook(self, layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """A forward pre-hook of the layer: it reads what the neurons emit."""
        return (self._read(args[0]), *args[1:]) if self.t else None

    def begin_step(self, t: int, first: bool) -> None:
        """Time step t comes."""
        super().begin_step(t, first)
        self._number = 0

    def restart(self) -> None:
        """The warm-up is over: what it has added up does not count, but its spikes do."""
        for group in (group for call in self._calls for group in call.groups):
            group.state = self.method.neuron.restart(group.state)
            for sum_ in (group.so_far, group.driven, group.emitted):
                sum_.zero_()

    def forget(self) -> None:
        """The run is over, or has failed."""
        super().forget()
        self._calls = []

    def count(self) -> None:
        """Add what has been fired since the run began to what is being counted."""
        if not self.run.counting:
            return
        neuron, steps = self.method.neuron, self.method.time_steps
        for call in self._calls:
            driven = torch.cat([group.driven for group in call.groups]).view(call.shape)
            spikes = torch.cat([group.spikes for group in call.groups]).view(call.shape)
            spikes = self.unpadded(spikes).to(torch.int64)
            beyond = self.unpadded(driven).abs() > neuron.largest(steps)
            fired = Firing(total(spikes), total(spikes), total(spikes > 0))
            of_run = steps + neuron.warm_up
            kind = type(neuron).__name__
            self.run.add_spikes(self.name, kind, of_run, spikes.numel(), fired, total(beyond))
            vectors, width = spikes.shape
            caused = fired * self.outputs
            self.run.add_operations(
                *(self.serves, self.serves, "linear", caused, spikes.numel() * self.outputs, {}),
                inputs=spikes.numel(),
                outputs=vectors * self.outputs,
                weights=width * self.outputs,
            )

    def _read(self, x: Tensor) -> Tensor:
        """What the layer reads in this pass instead of x, its shape and dtype."""
        rows = x.detach().reshape(-1, x.shape[-1])
        at_once = _AT_ONCE // rows.shape[1] if x.device.type == "cpu" else len(rows)
        at_once = max(1, at_once)
        parts = rows.split(at_once)
        read = torch.empty_like(rows)
        if self._number == len(self._calls):
            self._calls.append(_Call(x.shape, [self._begin(part) for part in parts]))
        groups = self._calls[self._number].groups
        self._number += 1
        threshold = self.threshold.to(x)
        for group, part, out in zip(groups, parts, read.split(at_once), strict=True):
            self._step(group, part, threshold, out)
        return read.view(x.shape)

    def _begin(self, x: Tensor) -> _Group:
        population = x[None] if self.method.neuron.signed else torch.stack([x, x])
        zeros = [torch.zeros_like(x) for _ in range(4)]
        return _Group(self.method.neuron.begin(population), *zeros)

    def _step(self, group: _Group, x: Tensor, threshold: Tensor, read: Tensor) -> None:
        """What the layer reads instead of some rows x."""
        neuron, time, t = self.method.neuron, self.method.time, self.t
        population = x.new_empty((1 if neuron.signed else 2, *x.shape))
        current = torch.div(self._change(group, x), threshold, out=population[0])
        if not neuron.signed:
            torch.neg(current, out=population[1])
        group.driven += current
        if time == "layerwise":
            fired, spikes = neuron.respond(population, self.method.time_steps)
        else:
            fired, group.state = neuron.step(population, group.state, t)
            spikes = neuron.spikes(fired)
        for of_sign in spikes:
            group.spikes += of_sign
        now = fired[0] if neuron.signed else fired[0] - fired[1]
        group.emitted += now
        emitted = now if time == "instantaneous" else group.emitted
        if time == "expectation":
            emitted = torch.div(emitted, t, out=read)
        torch.mul(emitted, threshold, out=read)

    def _change(self, group: _Group, x: Tensor) -> Tensor:
        """What comes in at this time step."""
        if self.method.time in ("instantaneous", "layerwise"):
            return x
        before = group.so_far
        group.so_far = self.t * x if self.method.time == "expectation" else x.clone()
        return group.so_far - before

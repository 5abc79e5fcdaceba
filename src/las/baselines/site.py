"""The neurons before one linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from las.baselines.methods import Method
from las.baselines.part import Part
from las.neurons.encoding import Firing, total


@dataclass
class _Call:
    """One call of a layer while the time steps go by.

    Attributes:
        state: of the neurons, (1 or 2, ...): pairs where they fire one sign only.
        x: what the layer read in the pass before.
        driven: the sum of all currents, in units of the threshold.
        emitted: the sum of all spikes, likewise.
        spikes: how many there have been at each neuron, those of the warm-up too.
    """

    state: Any
    x: Tensor
    driven: Tensor
    emitted: Tensor
    spikes: Tensor


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
        for call in self._calls:
            call.state = self.method.neuron.restart(call.state)
            for sum_ in (call.x, call.driven, call.emitted):
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
            spikes = self.unpadded(call.spikes).to(torch.int64)
            beyond = self.unpadded(call.driven.abs() > neuron.largest(steps))
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
        if self._number == len(self._calls):
            self._calls.append(self._begin(x))
        call = self._calls[self._number]
        self._number += 1
        t, time = self.t, self.method.time
        if time == "instantaneous":
            return self._of(self._step(call, x, t), x)
        if time == "layerwise":
            for step in range(1, self.method.time_steps + 1):
                self._step(call, x if step == 1 else torch.zeros_like(x), step)
            return self._of(call.emitted, x)
        if time == "difference":
            self._step(call, x - call.x, t)
        else:
            self._step(call, t * x - (t - 1) * call.x, t)
        call.x = x.clone()
        return self._of(call.emitted if time == "difference" else call.emitted / t, x)

    def _begin(self, x: Tensor) -> _Call:
        x = x.detach()
        population = x[None] if self.method.neuron.signed else torch.stack([x, x])
        zeros = [torch.zeros_like(x) for _ in range(4)]
        return _Call(self.method.neuron.begin(population), *zeros)

    def _step(self, call: _Call, current: Tensor, t: int) -> Tensor:
        """One time step: S(t)."""
        neuron = self.method.neuron
        current = current / self.threshold.to(current)
        call.driven += current
        population = current[None] if neuron.signed else torch.stack([current, -current])
        fired, call.state = neuron.step(population, call.state, t)
        for of_sign in neuron.spikes(fired):
            call.spikes += of_sign
        spikes = fired[0] if neuron.signed else fired[0] - fired[1]
        call.emitted += spikes
        return spikes

    def _of(self, emitted: Tensor, x: Tensor) -> Tensor:
        return (emitted * self.threshold.to(emitted)).to(x.dtype)

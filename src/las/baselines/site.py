"""The neurons before one linear layer."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from las.baselines.fired import Fired, FiredInPass
from las.baselines.methods import Method
from las.baselines.part import Part
from las.baselines.population import Population
from las.neurons.encoding import Firing, total


class Site(Part):
    """A population of neurons, one or a pair for each input of a linear layer.

    Layers whose thresholds are equal share their neurons as long as they are given the very same
    tensor, as those of query, key and value are: the first one's fire, the others read what they
    emit. From the first pass on in which a layer is given another tensor, its neurons fire
    themselves. Nothing else changes: each site counts its own spikes and operations.

    Attributes:
        method: says what fires, and how time runs.
        outputs: of the layer; each spike causes so many accumulations.
        threshold: (channels,), or (1,) for the whole tensor.
        fired: what the neurons of the model have made of the tensors of this pass.
    """

    threshold: Tensor

    def __init__(self, method: Method, outputs: int, threshold: Tensor, fired: FiredInPass) -> None:
        super().__init__()
        self.method = method
        self.outputs = outputs
        self.register_buffer("threshold", threshold)
        self.fired = fired
        self._calls: dict[int, Population] = {}
        self._number = 0

    def hook(self, layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """A forward pre-hook of the layer: it reads what the neurons emit."""
        return (self._read(args[0]), *args[1:]) if self.t else None

    def begin_step(self, t: int, first: bool) -> None:
        """Time step t comes."""
        super().begin_step(t, first)
        self.fired.forget()
        self._number = 0

    def restart(self) -> None:
        """The warm-up is over."""
        for neurons in self._calls.values():
            neurons.restart()

    def forget(self) -> None:
        """The run is over, or has failed."""
        super().forget()
        self.fired.forget()
        self._calls = {}

    def count(self) -> None:
        """Add what has been fired since the run began to what is being counted."""
        if not self.run.counting:
            return
        neuron = self.method.neuron
        of_run = self.method.time_steps + neuron.warm_up
        for neurons in self._calls.values():
            counts, width = self.unpadded(neurons.counts()), neurons.shape[-1]
            spikes, active, beyond = (total(each) for each in counts.unbind(1))
            fired, inputs = Firing(spikes, spikes, active), len(counts) * width
            self.run.add_spikes(self.name, type(neuron).__name__, of_run, inputs, fired, beyond)
            self.run.add_operations(
                *(self.serves, self.serves, "linear"),
                *(fired * self.outputs, inputs * self.outputs, {}),
                inputs=inputs,
                outputs=len(counts) * self.outputs,
                weights=width * self.outputs,
            )

    def _read(self, x: Tensor) -> Tensor:
        """What the layer reads in this pass instead of x, its shape and dtype."""
        before = self._calls.get(self._number)
        threshold = self.threshold.to(x)
        fired = self.fired.find(x, before, threshold)
        if fired is None:
            neurons = before.apart() if before else Population(self.method, threshold, x)
            fired = Fired(before, neurons, neurons.step(x.detach(), self.t))
            self.fired.add(x, fired)
        else:
            fired.after.shared = True
        self._calls[self._number] = fired.after
        self._number += 1
        return fired.read

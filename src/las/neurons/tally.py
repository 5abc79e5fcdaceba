"""Counting what spikes and what the spikes cause, while a spiking model runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

_ADDING = threading.Lock()
"""Held while numbers are added: several threads may fill one tally."""


@dataclass
class SiteCount:
    """Spikes of one population of neurons (one MT, OAT or HG site).

    Attributes:
        kind: "mt", "oat", or "hg:<function>".
        time_steps: T of the neurons at this site.
        activations: scalar inputs coded, those that a mask hides left out.
        spikes: spikes emitted, whatever their sign and level.
        out_of_range: inputs beyond the largest representable value or the calibrated range.
        digits: nonzero signed binary digits of the levels H + k of all spikes; one for each spike
            where H is 1, and for each spike of an HG neuron.
        active: inputs that fire at all, whatever the number of their spikes.
        levels: H of the neurons; 1 for HG.
    """

    kind: str
    time_steps: int
    activations: int = 0
    spikes: int = 0
    out_of_range: int = 0
    digits: int = 0
    active: int = 0
    levels: int = 1

    @property
    def spikes_per_activation(self) -> float:
        """Mean number of spikes that code one scalar."""
        return self.spikes / self.activations if self.activations else 0.0

    @property
    def firing_rate(self) -> float:
        """Share of neuron-time-steps with a spike, in [0, 1]."""
        return self.spikes_per_activation / self.time_steps


@dataclass
class OperationCount:
    """Work of one spike-equivalent component, beside that of the operation it replaces.

    Attributes:
        layer: module path, e.g. "model.layers.0.self_attn.q_proj".
        kind: "linear", "matmul", "hadamard", "softmax", "norm" or "activation".
        sops: synaptic operations, i.e. accumulations caused by spikes.
        macs: multiply-accumulates of the ANN's operation.
        nonlinear: scalar evaluations of the ANN's non-linear functions, e.g. {"gelu": 4096}.
        additions: like `sops`, each spike weighed with its digits: plain accumulations.
        fetches: synapses of inputs that fire at all: what is read of the other operand if it is
            read once for each input that is not silent.
        early_sops, early_additions, early_fetches: that part of the three which the operand causes
            that arrives first, in products of two spiking operands: keys of scores, values of the
            context.
        inputs: scalars that the operation reads, both operands of a product among them.
        outputs: scalars that it makes.
        weights: stored numbers that it multiplies with, each counted once however often it runs;
            biases are left out.
    """

    layer: str
    kind: str
    sops: int = 0
    macs: int = 0
    nonlinear: dict[str, int] = field(default_factory=dict)
    additions: int = 0
    fetches: int = 0
    early_sops: int = 0
    early_additions: int = 0
    early_fetches: int = 0
    inputs: int = 0
    outputs: int = 0
    weights: int = 0


@dataclass
class SpikeTally:
    """Everything counted during one or more forward passes of a spiking model."""

    sites: dict[str, SiteCount] = field(default_factory=dict)
    operations: dict[str, OperationCount] = field(default_factory=dict)
    tokens: int = 0

    def add_spikes(
        self,
        site: str,
        kind: str,
        time_steps: int,
        activations: int,
        spikes: int,
        out_of_range: int,
    ) -> None:
        """Add one call of a neuron site."""
        with _ADDING:
            count = self.sites.setdefault(site, SiteCount(kind, time_steps))
            count.activations += activations
            count.spikes += spikes
            count.out_of_range += out_of_range

    def add_operations(
        self,
        name: str,
        layer: str,
        kind: str,
        sops: int,
        macs: int,
        nonlinear: Mapping[str, int] | None = None,
        inputs: int = 0,
        outputs: int = 0,
        weights: int = 0,
    ) -> None:
        """Add one call of a component."""
        with _ADDING:
            count = self.operations.setdefault(name, OperationCount(layer, kind))
            count.sops += sops
            count.macs += macs
            count.inputs += inputs
            count.outputs += outputs
            count.weights = max(count.weights, weights)
            for function, evaluations in (nonlinear or {}).items():
                count.nonlinear[function] = count.nonlinear.get(function, 0) + evaluations

    def add_tokens(self, tokens: int) -> None:
        """Add tokens that went in."""
        with _ADDING:
            self.tokens += tokens

    def merge(self, other: SpikeTally) -> None:
        """Add all counts of `other` to this tally."""
        for name, site in other.sites.items():
            self.add_spikes(
                name, site.kind, site.time_steps, site.activations, site.spikes, site.out_of_range
            )
        for name, op in other.operations.items():
            self.add_operations(
                *(name, op.layer, op.kind, op.sops, op.macs, op.nonlinear),
                *(op.inputs, op.outputs, op.weights),
            )
        self.add_tokens(other.tokens)

    def settle(self) -> None:
        """Read the numbers that GPUs have counted, all of a device at once.

        Until then, tensors without dimensions stand for them.
        """
        with _ADDING:
            places = [vars(self), *map(vars, self.sites.values())]
            for operation in self.operations.values():
                places += [vars(operation), operation.nonlinear]
            waiting: dict[torch.device, list[tuple[dict[str, Any], str]]] = {}
            for place in places:
                for name, number in place.items():
                    if isinstance(number, Tensor):
                        waiting.setdefault(number.device, []).append((place, name))
            for of_device in waiting.values():
                numbers = torch.stack([place[name] for place, name in of_device]).tolist()
                for (place, name), number in zip(of_device, numbers, strict=True):
                    place[name] = number

    @property
    def spikes(self) -> int:
        """Spikes over all sites."""
        return sum(site.spikes for site in self.sites.values())

    @property
    def out_of_range(self) -> int:
        """Out-of-range inputs over all sites."""
        return sum(site.out_of_range for site in self.sites.values())

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SpikeTally:
        """Inverse of `to_dict`."""
        return cls(
            sites={name: SiteCount(**site) for name, site in data["sites"].items()},
            operations={name: OperationCount(**op) for name, op in data["operations"].items()},
            tokens=data["tokens"],
        )

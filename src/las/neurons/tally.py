"""Counting what spikes and what the spikes cause, while a spiking model runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from las.neurons.encoding import NOTHING, Firing

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
        digits: nonzero signed binary digits of the levels H + k of the spikes; one for each spike
            of an HG neuron.
        active: inputs that fire at all; of HG neurons their spikes.
        levels: H of the neurons at this site, 1 for HG neurons.
        bands: of OAT neurons, how many there are for different magnitudes.
    """

    kind: str
    time_steps: int
    activations: int = 0
    spikes: int = 0
    out_of_range: int = 0
    digits: int = 0
    active: int = 0
    levels: int = 1
    bands: int = 2

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
        additions: the same as sops, but a spike of level H + k costs as many accumulations as the
            level has nonzero signed binary digits.
        fetches: synapses of inputs that fire at all: what is read of the other operand if that is
            once for each such input, and not for each of its spikes.
        early_sops: that part of sops which is due to the operand of a product that arrives first:
            keys of scores, values of context. They are in the cache for later tokens, which read
            what they have left.
        early_additions: that part of additions.
        early_fetches: that part of fetches.
        dense_macs: multiply-accumulates that the spiking model itself makes, where it reads
            values that are no spikes, as the first layers of models that others made do.
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
    dense_macs: int = 0
    inputs: int = 0
    outputs: int = 0
    weights: int = 0

    @property
    def multiplies(self) -> bool:
        """Whether it is a product with a matrix, in which a spike is read many times."""
        return self.kind in ("linear", "matmul")


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
        spikes: Firing | int,
        out_of_range: int,
        levels: int = 1,
        bands: int = 2,
    ) -> None:
        """Add one call of a neuron site; a whole number stands for spikes of one level."""
        fired = spikes if isinstance(spikes, Firing) else Firing.plain(spikes)
        with _ADDING:
            count = self.sites.setdefault(
                site, SiteCount(kind, time_steps, levels=levels, bands=bands)
            )
            count.activations += activations
            count.spikes += fired.spikes
            count.out_of_range += out_of_range
            count.digits += fired.digits
            count.active += fired.active

    def add_operations(
        self,
        name: str,
        layer: str,
        kind: str,
        sops: Firing | int,
        macs: int,
        nonlinear: Mapping[str, int] | None = None,
        early: Firing = NOTHING,
        inputs: int = 0,
        outputs: int = 0,
        weights: int = 0,
        dense_macs: int = 0,
    ) -> None:
        """Add one call of a component.

        Arguments:
            name: of the component, or of its operation.
            layer: its module path.
            kind: see `OperationCount`.
            sops: what spikes have caused; a whole number stands for spikes of one level.
            macs: multiply-accumulates of the ANN.
            nonlinear: evaluations of its functions.
            early: that part of `sops` which is due to the operand that arrives first.
            inputs: scalars that it reads.
            outputs: scalars that it makes.
            weights: stored numbers that it multiplies with.
            dense_macs: multiply-accumulates that it makes itself, where it reads no spikes.
        """
        caused = sops if isinstance(sops, Firing) else Firing.plain(sops)
        with _ADDING:
            count = self.operations.setdefault(name, OperationCount(layer, kind))
            count.sops += caused.spikes
            count.additions += caused.digits
            count.fetches += caused.active
            count.early_sops += early.spikes
            count.early_additions += early.digits
            count.early_fetches += early.active
            count.macs += macs
            count.dense_macs += dense_macs
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
            fired = Firing(site.spikes, site.digits, site.active)
            counted = site.activations, fired, site.out_of_range, site.levels, site.bands
            self.add_spikes(name, site.kind, site.time_steps, *counted)
        for name, op in other.operations.items():
            caused = Firing(op.sops, op.additions, op.fetches)
            early = Firing(op.early_sops, op.early_additions, op.early_fetches)
            self.add_operations(
                *(name, op.layer, op.kind, caused, op.macs, op.nonlinear, early),
                *(op.inputs, op.outputs, op.weights, op.dense_macs),
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

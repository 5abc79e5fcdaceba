"""NeuroBench's metrics by their definitions, from what was counted.

J. Yik et al., The NeuroBench framework, Nature Communications 16, 2025. All but the sizes are per
token here, where NeuroBench has them per sample.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn

from las.components.component import SpikingComponent
from las.energy.dense import dense_operations
from las.neurons.tally import SpikeTally


@dataclass(frozen=True)
class NeuroBench:
    """What NeuroBench reports of a model.

    Attributes:
        activation_sparsity: share of neurons and time steps without a spike.
        dense: synaptic operations if every input were nonzero in each of its T time steps
            (`dense_operations`). In a product of two spike trains, both operands count.
        effective_macs: synaptic operations of spikes that are not all of one size.
        effective_acs: those whose inputs are in {-1, 0, 1} once theta(t) is folded out: all spikes
            of the operation have one level, as with H = 1. Both None if additions were not counted.
        membrane_updates: potentials that are charged, and resets. NeuroBench counts the first time
            step once, whether its neurons fire or not: by so many it has fewer.
        footprint: bytes of parameters and buffers; None without the model.
        connection_sparsity: share of the parameters of layers that are 0; None without the model.
    """

    activation_sparsity: float
    dense: float
    effective_macs: float | None
    effective_acs: float | None
    membrane_updates: float
    footprint: int | None = None
    connection_sparsity: float | None = None


def neurobench(
    tally: SpikeTally, kinds: Collection[str] = ("linear",), model: nn.Module | None = None
) -> NeuroBench:
    """Compute the metrics.

    An operation has spikes of one size exactly where `additions` equals `sops`: of the levels H to
    2H - 1 a single one is a power of two, and has one signed binary digit.

    Arguments:
        tally: what `las.count_spikes` counted.
        kinds: the kinds of operations whose synapses count.
        model: for its footprint and connection sparsity.
    """
    sites = list(tally.sites.values())
    chances = sum(site.activations * site.time_steps for site in sites)
    tokens = tally.tokens or 1
    acs = macs = 0
    dense = 0.0
    counted = True
    for name, operation in tally.operations.items():
        if operation.kind in kinds:
            dense += dense_operations(name, operation, tally)
            counted = counted and bool(operation.additions or not operation.sops)
            if operation.additions == operation.sops:
                acs += operation.sops
            else:
                macs += operation.sops
    return NeuroBench(
        activation_sparsity=1 - tally.spikes / chances if chances else 0.0,
        dense=dense / tokens,
        effective_macs=macs / tokens if counted else None,
        effective_acs=acs / tokens if counted else None,
        membrane_updates=sum(site.activations + site.spikes for site in sites) / tokens,
        footprint=None if model is None else _footprint(model),
        connection_sparsity=None if model is None else _sparsity(model),
    )


def _footprint(model: nn.Module) -> int:
    stored = *model.parameters(), *model.buffers()
    return sum(each.numel() * each.element_size() for each in stored)


def _sparsity(model: nn.Module) -> float:
    """Share of zeros among the weights that spikes select, each counted once."""
    components = [module for module in model.modules() if isinstance(module, SpikingComponent)]
    own = [each for module in components for each in module.parameters(recurse=False)]
    weights = [each.detach() for each in dict.fromkeys(own) if each.dim() > 1]
    total = sum(each.numel() for each in weights)
    return 1 - sum(int(each.count_nonzero()) for each in weights) / total if total else 0.0

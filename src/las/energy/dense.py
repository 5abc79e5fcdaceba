"""Synaptic operations if every input were nonzero in every time step: what NeuroBench calls Dense.

A layer is presented with as many time steps as the neurons have that it reads. Their T may differ
from site to site, and so every operation counts with that of its own inputs.
"""

from __future__ import annotations

from las.neurons.tally import OperationCount, SiteCount, SpikeTally

_READ: tuple[tuple[tuple[str, int], ...], ...] = (
    (("{name}.site", 1),),
    (("{name}.baseline_neurons", 1),),
    (("{name}.input", 1),),
    (("{name}.left", 1), ("{name}.right", 1)),
    (("{name}.input_site", 2), ("{name}.down_site", 1)),  # two matrices read the first, one this
)
"""Populations that an operation reads, and how many matrices or operands each stands for."""

_OF_ATTENTION = {"scores": ("query", "key"), "context": ("probability", "value")}


def dense_operations(name: str, operation: OperationCount, tally: SpikeTally) -> float:
    """Of one operation; in a product of two spike trains, both operands count.

    Where the populations that it reads are not known by their names or counts, it counts with the
    longest T of all.

    Arguments:
        name: of the operation in the tally.
        operation: a linear layer or a product.
        tally: all that was counted.
    """
    if operation.dense_macs:  # made in every time step, or once, and counted so
        return operation.dense_macs
    operands = 2 if operation.kind == "matmul" else 1
    read = _read(name, operation, tally)
    if not read:
        return max((x.time_steps for x in tally.sites.values()), default=0) * (
            operands * operation.macs
        )
    steps = sum(shares * site.time_steps for site, shares in read)
    return operands * operation.macs * steps / sum(shares for _, shares in read)


def _read(name: str, operation: OperationCount, tally: SpikeTally) -> list[tuple[SiteCount, int]]:
    """The populations that an operation reads, with their shares of its operations."""
    sites = tally.sites
    part = name.removeprefix(f"{operation.layer}.")
    roles = [(f"{operation.layer}.{role}", 1) for role in _OF_ATTENTION.get(part, ())]
    named = [[(role.format(name=name), shares) for role, shares in one] for one in _READ]
    for wanted in (roles, *named):
        if wanted and all(role in sites for role, _ in wanted):
            return [(sites[role], shares) for role, shares in wanted]
    shared = [site for site in sites.values() if _feeds(site, operation)]
    return [(shared[0], 1)] if len({site.time_steps for site in shared}) == 1 else []


def _feeds(site: SiteCount, operation: OperationCount) -> bool:
    """Whether all that a layer reads may be from a population that bears another layer's name.

    Layers that read the same tensor share one. If every input has as many outputs as another one,
    spikes per input are accumulations per MAC, and so on.
    """
    each = ((operation.sops, site.spikes), (operation.fetches, site.active))
    return (
        operation.kind == "linear"
        and 0 < operation.inputs == site.activations
        and all(caused * operation.inputs == fired * operation.macs for caused, fired in each)
    )

"""Spikes of every kind of neuron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from las.neurons.tally import SiteCount, SpikeTally
from las.reporting.column import Column, tabulate
from las.reporting.names import evaluation_title
from las.reporting.results import CellResult
from las.reporting.table import Table


@dataclass(frozen=True)
class _Kind:
    name: str
    sites: Sequence[SiteCount]

    @property
    def values(self) -> int:
        return sum(site.activations for site in self.sites)

    @property
    def spikes(self) -> int:
        return sum(site.spikes for site in self.sites)

    @property
    def chances(self) -> int:
        """Neuron-time-steps."""
        return sum(site.activations * site.time_steps for site in self.sites)

    @property
    def outside(self) -> int:
        return sum(site.out_of_range for site in self.sites)


_COLUMNS = (
    Column[_Kind]("Neuron", lambda kind: kind.name),
    Column[_Kind]("Sites", lambda kind: len(kind.sites)),
    Column[_Kind]("Values coded", lambda kind: kind.values),
    Column[_Kind]("Spikes", lambda kind: kind.spikes),
    Column[_Kind](
        "Spikes per value", lambda kind: kind.spikes / kind.values if kind.values else None, ".2f"
    ),
    Column[_Kind](
        "Firing rate, %",
        lambda kind: 100 * kind.spikes / kind.chances if kind.chances else None,
        ".1f",
    ),
    Column[_Kind]("Out of range", lambda kind: kind.outside),
    Column[_Kind](
        "Share out of range",
        lambda kind: kind.outside / kind.values if kind.values else None,
        ".1e",
    ),
)


def spikes_by_kind(cell: CellResult, spikes: SpikeTally) -> Table:
    """A row for every kind of neuron."""
    kinds: dict[str, list[SiteCount]] = {}
    for site in spikes.sites.values():
        kinds.setdefault(site.kind, []).append(site)
    return tabulate(
        slug=f"spikes_{cell.model}_{cell.neuron}_{cell.evaluation}",
        title=f"Spikes: {cell.title}, {evaluation_title(cell.evaluation)}, {cell.setting}",
        columns=_COLUMNS,
        subjects=[_Kind(name, sites) for name, sites in sorted(kinds.items())],
        notes=(
            "Firing rate: share of neuron-time-steps with a spike. Out of range: values beyond the "
            "largest representable one (MT, OAT) or beyond the calibrated range, where the "
            "function follows its asymptote (HG).",
        ),
    )

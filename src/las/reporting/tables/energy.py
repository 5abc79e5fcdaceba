"""Where the energy of a cell goes: by block, and by kind of operation."""

from __future__ import annotations

from collections.abc import Callable

from las.energy import EnergyReport, EnergyRow
from las.reporting.column import Column, tabulate
from las.reporting.names import block_title, evaluation_title
from las.reporting.results import CellResult
from las.reporting.table import Table


def energy_by_layer(cell: CellResult, energy: EnergyReport) -> Table:
    """Energy of every transformer block, of what lies outside the blocks, and in total."""
    return _energy_table(cell, energy, "layer", "block", lambda row: block_title(row.name))


def energy_by_kind(cell: CellResult, energy: EnergyReport) -> Table:
    """Energy of every kind of operation, and in total."""
    return _energy_table(cell, energy, "kind", "kind of operation", lambda row: row.kind)


def _energy_table(
    cell: CellResult, energy: EnergyReport, slug: str, what: str, key: Callable[[EnergyRow], str]
) -> Table:
    total = energy.total
    tokens = energy.tokens or 1
    columns = (
        Column[EnergyRow](what.capitalize(), lambda row: row.name),
        Column[EnergyRow]("SOPs", lambda row: row.sops / tokens, ",.0f"),
        Column[EnergyRow]("MACs", lambda row: row.macs / tokens, ",.0f"),
        Column[EnergyRow]("Non-linear FLOPs", lambda row: row.nonlinear_flops / tokens, ",.0f"),
        Column[EnergyRow]("E_snn, µJ", lambda row: row.snn_pj / tokens / 1e6, ".3f"),
        Column[EnergyRow]("E_ann, µJ", lambda row: row.ann_pj / tokens / 1e6, ".3f"),
        Column[EnergyRow]("E_snn/E_ann", lambda row: row.ratio, ".3f"),
        Column[EnergyRow](
            "Share of E_snn, %", lambda row: _percent(row.snn_pj, total.snn_pj), ".1f"
        ),
        Column[EnergyRow](
            "Share of E_ann, %", lambda row: _percent(row.ann_pj, total.ann_pj), ".1f"
        ),
    )
    unit = f"per token, over {energy.tokens:,} tokens" if energy.tokens else "in all"
    evaluation = evaluation_title(cell.evaluation)
    return tabulate(
        slug=f"energy_{slug}_{cell.model}_{cell.neuron}_{cell.evaluation}",
        title=f"Energy by {what}: {cell.title}, {evaluation}, {cell.setting}",
        columns=columns,
        subjects=[*energy.grouped(key), total],
        notes=(f'All {unit}. Cost model "{energy.cost_model.name}": {energy.cost_model.note}',),
    )


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None

"""Table 6: scores of encoders against T."""

from __future__ import annotations

from las.reporting.ablated import LAS, label
from las.reporting.paper.score_table import score_table
from las.reporting.paper.table_3 import COLUMNS, of_encoders
from las.reporting.results import CellResult, Results
from las.reporting.table import Table


def table_6(results: Results) -> Table:
    """Scores of encoders against T."""
    rows: dict[str, dict[tuple[int, int], list[CellResult]]] = {}
    for sweep in results.sweep("time_steps"):
        if label(sweep[0]) == LAS and any(map(of_encoders, sweep[0].scores)):
            for cell in sweep:
                neurons = -cell.levels, cell.time_steps
                rows.setdefault(cell.row, {}).setdefault(neurons, []).append(cell)
    groups = []
    for name, found in rows.items():
        parts = [cells for _, cells in sorted(found.items())]
        groups.append((name, [cell for part in parts for cell in part], parts))
    return score_table(6, groups, COLUMNS, of_encoders, results.made)

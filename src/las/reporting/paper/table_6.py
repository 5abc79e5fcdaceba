"""Table 6: scores of encoders against T."""

from __future__ import annotations

from las.reporting.paper.score_table import score_table
from las.reporting.paper.table_3 import COLUMNS, of_encoders
from las.reporting.results import CellResult, Results
from las.reporting.table import Table


def table_6(results: Results) -> Table:
    """Scores of encoders against T."""
    sweeps: dict[tuple[str, int, int], list[CellResult]] = {}
    for sweep in results.sweep("time_steps"):
        if sweep[0].threshold_rule == "error" and any(map(of_encoders, sweep[0].scores)):
            for cell in sweep:
                sweeps.setdefault((cell.row, cell.time_steps, cell.levels), []).append(cell)
    groups = []
    for name in dict.fromkeys(row for row, _, _ in sweeps):
        parts = [sweeps[place] for place in sorted(sweeps) if place[0] == name]
        groups.append((name, [cell for part in parts for cell in part], parts))
    return score_table(6, groups, COLUMNS, of_encoders, results.made)

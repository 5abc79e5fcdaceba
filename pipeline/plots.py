"""The sweeps of the published grid that `dvc plots` draws."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from las.files.atomic import atomic_directory
from pipeline.params import Grid

if TYPE_CHECKING:
    from las.reporting.results import Results

SWEEPS = ("time_steps", "levels")


def write_sweeps(root: Path, grid: Grid, results: Results) -> None:
    """Write sweeps/<setting>/<model>-<suite>.csv: what T (or H) costs in loss and in energy.

    In a sweep one of the two settings varies and the other is the paper's, T = 16 or H = 5; nothing
    else is changed. The loss is the largest change of a metric, in percent of the original's value.

    Arguments:
        root: where to write.
        grid: whose cells are drawn.
        results: what was evaluated; other cells may be among it.
    """
    from las.reporting.swept import PAPER

    listed = [tuple(cell.values()) for cell in grid.cells()]
    rows: dict[tuple[str, str], list[tuple[int, float, float]]] = {}
    for cell in results.cells:
        if not cell.plain or (cell.model, cell.neuron, cell.evaluation) not in listed:
            continue
        ratio = None if cell.energy is None else cell.energy.total.ratio
        if ratio is None:
            continue
        changes = [100 * abs(score.spiking / score.ann - 1) for score in cell.scores if score.ann]
        for setting, held in (SWEEPS, SWEEPS[::-1]):
            if getattr(cell, held) == PAPER[held]:
                name = f"{cell.model}-{cell.evaluation}"
                row = (getattr(cell, setting), max(changes, default=0.0), ratio)
                rows.setdefault((setting, name), []).append(row)
    for setting in SWEEPS:
        with atomic_directory(root / "sweeps" / setting) as folder:
            for (swept, name), sweep in rows.items():
                if swept == setting and len(sweep) > 1:
                    path = folder / f"{name}.csv"
                    with path.open("w", encoding="utf-8", newline="") as file:
                        writer = csv.writer(file, lineterminator="\n")
                        writer.writerow([setting, "largest_change_percent", "energy_ratio"])
                        writer.writerows(sorted(sweep))

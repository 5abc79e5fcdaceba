"""How long the compared systems took, beside their originals: a table in Markdown.

It is no part of the report, whose bytes are the same in every run: times are not.

python -m pipeline.times
python -m pipeline.times --root DIRECTORY    # where results/ lies
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from las.reporting.column import Column, tabulate
from las.reporting.names import task_title
from las.reporting.results import Spiking, load_results
from las.reporting.table import Table
from pipeline.evaluated import evaluated_cells
from pipeline.paths import Cell

NOTE = (
    "Seconds in the forward passes over the same items, on this machine as busy as it was. The "
    "original is timed once in a run for all its neurons. A spiking model of LAS runs its fused "
    "path, the others all their time steps; nothing here is a time of neuromorphic hardware."
)


class _Row(NamedTuple):
    cell: Spiking
    task: str
    ann: float
    snn: float


_COLUMNS = (
    Column[_Row]("Model", lambda row: row.cell.title),
    Column[_Row]("Task", lambda row: task_title(row.task)),
    Column[_Row]("Neurons", lambda row: row.cell.system),
    Column[_Row]("T", lambda row: row.cell.time_steps),
    Column[_Row]("ANN, s", lambda row: row.ann, ".2f"),
    Column[_Row]("SNN, s", lambda row: row.snn, ".2f"),
    Column[_Row]("SNN/ANN", lambda row: row.snn / row.ann, ".1f"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path(), help="where results/ lies")
    root: Path = parser.parse_args(arguments).root
    made = table(root)
    if not made.rows:
        parser.exit(1, f"{root / 'results'} has no compared systems: make repro evaluates them\n")
    print(made.to_markdown())


def table(root: Path) -> Table:
    """A row for each task of the compared systems and of LAS beside them, if it was timed.

    Arguments:
        root: where results/ lies.
    """
    results = load_results(root / "results", evaluated_cells(root))
    cells = [cell for group in results.beside_baselines() for cell in group]
    return tabulate(
        slug="times",
        title="Computing time",
        columns=_COLUMNS,
        subjects=[row for cell in cells for row in _rows(root, cell)],
        notes=(NOTE,),
        text_columns=3,
    )


def _rows(root: Path, cell: Spiking) -> Iterator[_Row]:
    path = Cell(root, cell.model, cell.neuron, cell.evaluation).timings
    timings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    for timing in timings:
        if timing.get("seconds_ann") and "seconds_snn" in timing:
            yield _Row(cell, timing["task"], timing["seconds_ann"], timing["seconds_snn"])


if __name__ == "__main__":
    main()

"""Runs side by side, and the paper's tables made from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from las.evaluation.score import Score
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_2 import table_2
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_4 import table_4
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.results import CellResult, OriginalResult, Results, load_cell
from las.reporting.table import Number, Table
from las.reporting.tables.scored import KL, LEVELS, MODEL, TIME_STEPS, Scored, energy_ratio

SCORES = "evaluation.json"
"""What a run holds: this, and energy.json and spikes.json of a spiking model."""


def load_runs(runs: Iterable[Path]) -> Results:
    """Read runs: cells of the results tree, and directories of W&B runs, offline ones too.

    A W&B run has the files of its cell in `files/`. Where two runs are of one model, suite and
    setting, both are kept.

    Raises:
        ValueError: a directory is no run, or holds something else than the pipeline writes.
    """
    cells: list[CellResult] = []
    originals: list[OriginalResult] = []
    for run in runs:
        result = _load(run)
        if isinstance(result, CellResult):
            cells.append(result)
        else:
            originals.append(result)
    return Results(tuple(cells), originals=tuple(originals))


def comparison(results: Results) -> list[Table]:
    """The scores of all runs, and those of the paper's tables to which they add a row.

    In the paper's tables the last one of several runs of one setting counts.
    """
    last = {
        (cell.model, cell.evaluation, cell.setting, cell.vision): cell for cell in results.cells
    }
    distinct = Results(tuple(last.values()), originals=results.originals)
    built = [table(distinct) for table in (table_1, table_2, table_3, table_4, table_5, table_6)]
    return [_side_by_side(results), *(table for table in built if "computed" in table.sources)]


class _Line(NamedTuple):
    """A score of a run, and the same score of the first run that has it."""

    row: Scored
    first: Score

    @property
    def beyond_first(self) -> Number | None:
        """How far the spiking model's score is from that of the first run."""
        if self.row.score is self.first:
            return None
        here, there = snn_number(self.row.score), snn_number(self.first)
        return Number(here.value - there.value, spec=f"+{here.spec}")


def _side_by_side(results: Results) -> Table:
    """A row for every score of every run, those of one task below one another."""
    groups: dict[tuple[str, str, str], list[Scored]] = {}
    for cell in results.cells:
        for score in cell.scores:
            groups.setdefault((cell.model, score.task, score.metric), []).append(
                Scored(cell, score)
            )
    columns = (
        Column[_Line]("Run", lambda line: line.row.cell.neuron),
        MODEL.of(_row),
        Column[_Line](
            "Measure",
            lambda line: (
                f"{task_title(line.row.score.task)}, {metric_title(line.row.score.metric)}"
            ),
        ),
        TIME_STEPS.of(_row),
        LEVELS.of(_row),
        Column[_Line]("ANN", lambda line: ann_number(line.row.score)),
        Column[_Line]("SNN", lambda line: snn_number(line.row.score)),
        Column[_Line]("SNN beside the first run's", lambda line: line.beyond_first),
        KL.of(_row),
        Column[_Line]("E_snn/E_ann", lambda line: energy_ratio(line.row.cell), ".3f"),
    )
    return tabulate(
        slug="runs",
        title="Runs side by side",
        columns=columns,
        subjects=[_Line(row, rows[0].score) for rows in groups.values() for row in rows],
        text_columns=3,
    )


def _row(line: _Line) -> Scored:
    return line.row


def _load(run: Path) -> OriginalResult:
    places: Sequence[Path] = (run, run / "files")
    place = next((place for place in places if (place / SCORES).is_file()), None)
    if place is None:
        what = "no such directory" if not run.is_dir() else f"it has no {SCORES}"
        raise ValueError(
            f"{run} is no run ({what}): name a cell, results/<model>/<neuron>/<evaluation>, or the "
            "directory of a W&B run, wandb/offline-run-*, of a cell"
        )
    try:
        written = json.loads((place / SCORES).read_text(encoding="utf-8"))
        names = {"model": written["model"]["name"], "evaluation": written["evaluation"]}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{place / SCORES} holds no scores of a run: {error!r}") from error
    return load_cell(place, {**names, "neuron": _name(run)})


def _name(run: Path) -> str:
    """The id of a W&B run, or the last three folders of a cell."""
    parts = run.resolve().parts
    if "run-" in parts[-1]:
        return parts[-1].partition("run-")[2].partition("-")[2]
    return "/".join(parts[-3:])

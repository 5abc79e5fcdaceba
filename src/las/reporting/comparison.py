"""Runs side by side, and the paper's tables made from them."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from las.evaluation.score import Score
from las.reporting.ablated import label
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_2 import table_2
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_4 import table_4
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.results import (
    BaselineResult,
    CellResult,
    OriginalResult,
    Spiking,
    gathered,
    load_cell,
)
from las.reporting.table import Number, Table
from las.reporting.tables.scored import energy_ratio

SCORES = "evaluation.json"
"""What a run holds: this, and energy.json and spikes.json of a spiking model."""


def load_runs(runs: Iterable[Path]) -> list[OriginalResult]:
    """Read runs: cells of the results tree, and directories of W&B runs, offline ones too.

    A W&B run has the files of its cell in `files/`. Where two runs are of one model, suite and
    setting, both are kept.

    Raises:
        ValueError: a directory is no run, or holds something else than the pipeline writes.
    """
    return [_load(run) for run in runs]


def comparison(runs: Sequence[OriginalResult]) -> list[Table]:
    """The scores of all runs, and those of the paper's tables to which they add a row.

    In the paper's tables the last one of several runs of one setting counts. Neurons that lost a
    part of the method are in none of them.
    """
    results = gathered({_setting(run): run for run in runs}.values())
    built = [table(results) for table in (table_1, table_2, table_3, table_4, table_5, table_6)]
    return [_side_by_side(runs), *(table for table in built if "computed" in table.sources)]


def _setting(run: OriginalResult) -> Hashable:
    """What two runs of one setting have in common."""
    place = type(run), run.model, run.evaluation
    if isinstance(run, CellResult):
        return *place, run.time_steps, run.levels, label(run), run.vision
    if isinstance(run, BaselineResult):
        return *place, run.system, run.time_steps
    return place


class _Line(NamedTuple):
    """A score of a run, and the same score of the first run with a spiking model that has it."""

    run: OriginalResult
    score: Score
    first: Score | None

    @property
    def spiking(self) -> Spiking | None:
        """The run, if it has a spiking model."""
        return self.run if isinstance(self.run, Spiking) else None

    @property
    def neurons(self) -> str | None:
        """What made it spike."""
        if isinstance(self.run, CellResult):
            return label(self.run)
        return self.spiking.system if self.spiking else None

    @property
    def beyond_first(self) -> Number | None:
        """How far the spiking model's score is from that of the first run."""
        if self.spiking is None or self.first is None or self.score is self.first:
            return None
        here, there = snn_number(self.score), snn_number(self.first)
        return Number(here.value - there.value, spec=f"+{here.spec}")


_COLUMNS = (
    Column[_Line]("Run", lambda line: line.run.neuron),
    Column[_Line]("Model", lambda line: line.run.title),
    Column[_Line](
        "Measure",
        lambda line: f"{task_title(line.score.task)}, {metric_title(line.score.metric)}",
    ),
    Column[_Line]("Neurons", lambda line: line.neurons),
    Column[_Line]("T", lambda line: line.spiking.row_steps if line.spiking else None),
    Column[_Line]("H", lambda line: line.run.levels if isinstance(line.run, CellResult) else None),
    Column[_Line]("ANN", lambda line: ann_number(line.score)),
    Column[_Line]("SNN", lambda line: snn_number(line.score) if line.spiking else None),
    Column[_Line]("SNN beside the first run's", lambda line: line.beyond_first),
    Column[_Line](
        "KL(ANN || SNN), nats", lambda line: line.score.kl if line.spiking else None, ".2e"
    ),
    Column[_Line](
        "E_snn/E_ann", lambda line: energy_ratio(line.spiking) if line.spiking else None, ".3f"
    ),
)


def _side_by_side(runs: Sequence[OriginalResult]) -> Table:
    """A row for every score of every run, those of one task below one another."""
    groups: dict[tuple[str, str, str], list[tuple[OriginalResult, Score]]] = {}
    for run in runs:
        for score in run.scores:
            groups.setdefault((run.model, score.task, score.metric), []).append((run, score))
    lines = []
    for group in groups.values():
        first = next((score for run, score in group if isinstance(run, Spiking)), None)
        lines += [_Line(run, score, first) for run, score in group]
    return tabulate(
        slug="runs",
        title="Runs side by side",
        columns=_COLUMNS,
        subjects=lines,
        notes=_left_out(runs),
        text_columns=4,
    )


def _left_out(runs: Sequence[OriginalResult]) -> tuple[str, ...]:
    """What is in this table alone."""
    cells = [run for run in runs if isinstance(run, CellResult)]
    notes = []
    if any(cell.ablation for cell in cells):
        notes.append(
            "Neurons that lost a part of the method, or whose part was replaced, are in no table "
            "of the paper."
        )
    if any(cell.budget is not None for cell in cells):
        notes.append(
            "Frugal neurons, whose T differs from site to site, are in no sweep of T or H: "
            "neither in Table 5 nor in Table 6."
        )
    return tuple(notes)


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

"""Encoders: change of each correlation and of the hidden states for every (T, H)."""

from __future__ import annotations

from collections.abc import Callable

from las.evaluation.score import Score
from las.reporting.ablated import label
from las.reporting.column import Column, tabulate
from las.reporting.names import task_title
from las.reporting.results import CellResult, Results
from las.reporting.table import Table
from las.reporting.tables.scored import SPIKING, SPIKING_NOTE, ordered, percent

_METRIC = "spearman"


def losslessness_of_similarity(results: Results) -> Table:
    """A row for every cell, with a column for every data set."""
    cells = [cell for cell in ordered(results) if cell.with_metric(_METRIC)]
    tasks = dict.fromkeys(s.task for cell in cells for s in cell.with_metric(_METRIC))
    columns = (
        Column[CellResult]("Model", lambda cell: cell.title),
        Column[CellResult]("Neurons", label),
        Column[CellResult]("T", lambda cell: cell.row_steps),
        Column[CellResult]("H", lambda cell: cell.levels),
        *[Column(f"{task_title(task)}, change", _change(task), "+.3f") for task in tasks],
        Column[CellResult]("Same order, %", lambda cell: percent(_worst_agreement(cell)), ".2f"),
        Column[CellResult]("Error of hidden state", _worst_hidden_state, ".1e"),
        *SPIKING,
    )
    return tabulate(
        slug="losslessness_similarity",
        title="Losslessness: encoders",
        columns=columns,
        subjects=cells,
        notes=(
            "Change: Spearman correlation x100 of the SNN less that of the ANN, in points; the "
            "scores themselves are in the table of all scores. Same order: share of pairs of pairs "
            "that both models rank alike. Error of hidden state: relative, last layer, mean over "
            "tokens. Of several data sets the worst is shown. " + SPIKING_NOTE,
        ),
        text_columns=2,
    )


def _change(task: str) -> Callable[[CellResult], float | None]:
    def change(cell: CellResult) -> float | None:
        score = cell.score(task, _METRIC)
        return None if score is None else score.spiking - score.ann

    return change


def _worst_agreement(cell: CellResult) -> float | None:
    known = [s.agreement for s in cell.with_metric(_METRIC) if s.agreement is not None]
    return min(known, default=None)


def _worst_hidden_state(cell: CellResult) -> float | None:
    def error(score: Score) -> float | None:
        return score.extra.get("hidden_relative_error")

    known = [e for score in cell.with_metric(_METRIC) if (e := error(score)) is not None]
    return max(known, default=None)

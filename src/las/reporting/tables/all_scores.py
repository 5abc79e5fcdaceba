"""Every score of every cell, and of the originals that were not converted."""

from __future__ import annotations

from typing import NamedTuple

from las.evaluation.score import Score
from las.reporting.ablated import label
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.results import CellResult, OriginalResult, Results, Spiking
from las.reporting.table import Table
from las.reporting.tables.scored import percent, scored


class _Row(NamedTuple):
    result: OriginalResult
    score: Score

    @property
    def cell(self) -> CellResult | None:
        """The cell, if the model was converted by LAS."""
        return self.result if isinstance(self.result, CellResult) else None

    @property
    def converted(self) -> Spiking | None:
        """The result, if the model was converted."""
        return self.result if isinstance(self.result, Spiking) else None

    @property
    def neurons(self) -> str | None:
        """What made it spike, if it was converted."""
        if self.cell is not None:
            return label(self.cell)
        return self.converted.system if self.converted else None


_COLUMNS = (
    Column[_Row]("Model", lambda row: row.result.title),
    Column[_Row]("Task", lambda row: task_title(row.score.task)),
    Column[_Row]("Metric", lambda row: metric_title(row.score.metric)),
    Column[_Row]("Neurons", lambda row: row.neurons),
    Column[_Row]("T", lambda row: row.converted.row_steps if row.converted else None),
    Column[_Row]("H", lambda row: row.cell.levels if row.cell else None),
    Column[_Row]("ANN", lambda row: ann_number(row.score)),
    Column[_Row]("SNN", lambda row: snn_number(row.score) if row.converted else None),
    Column[_Row](
        "Agreement, %", lambda row: percent(row.score.agreement) if row.converted else None, ".2f"
    ),
    Column[_Row](
        "KL(ANN || SNN), nats", lambda row: row.score.kl if row.converted else None, ".2e"
    ),
    Column[_Row]("Items", lambda row: row.score.items),
    Column[_Row]("Items available", lambda row: row.score.items_available),
)


def all_scores(results: Results) -> Table:
    """A row for every score."""
    others = (*results.ablations, *results.baselines, *results.originals)
    return tabulate(
        slug="scores",
        title="All scores",
        columns=_COLUMNS,
        subjects=[
            *(_Row(*row) for row in scored(results)),
            *(_Row(one, score) for one in others for score in one.scores),
        ],
        notes=(
            "Accuracies and F1 in %, correlations x100, ± standard error. Agreement: share of "
            "items that ANN and SNN answer alike, whether rightly or not. Without T: an original "
            "that was not converted.",
        ),
        text_columns=4,
    )

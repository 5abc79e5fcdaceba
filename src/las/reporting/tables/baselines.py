"""LAS beside the systems that the paper compares with, on the same models and items."""

from __future__ import annotations

from typing import NamedTuple

from las.evaluation.score import Score
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.results import Results, Spiking
from las.reporting.table import Table
from las.reporting.tables.scored import energy_ratio, percent


class _Row(NamedTuple):
    cell: Spiking
    score: Score


_COLUMNS = (
    Column[_Row]("Model", lambda row: row.cell.title),
    Column[_Row]("Task", lambda row: task_title(row.score.task)),
    Column[_Row]("Metric", lambda row: metric_title(row.score.metric)),
    Column[_Row]("Neurons", lambda row: row.cell.system),
    Column[_Row]("T", lambda row: row.cell.time_steps),
    Column[_Row]("ANN", lambda row: ann_number(row.score)),
    Column[_Row]("SNN", lambda row: snn_number(row.score)),
    Column[_Row]("Agreement, %", lambda row: percent(row.score.agreement), ".2f"),
    Column[_Row]("KL(ANN || SNN), nats", lambda row: row.score.kl, ".2e"),
    Column[_Row]("E_snn/E_ann", lambda row: energy_ratio(row.cell), ".3f"),
)


def baselines(results: Results) -> Table:
    """A row for each score of a published conversion, below those of LAS on the same model."""
    return tabulate(
        slug="baselines",
        title="Published conversions beside LAS",
        columns=_COLUMNS,
        subjects=[
            _Row(cell, score)
            for group in results.beside_baselines()
            for cell in group
            for score in cell.scores
        ],
        notes=(
            "LAS at H = 5. The steps of a warm-up are not in T. What reads no spikes costs its "
            "multiply-accumulates at each time step, which is what brings ratios above 1.",
        ),
        text_columns=4,
    )

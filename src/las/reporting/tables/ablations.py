"""What each part of the method does (Section 5.5)."""

from __future__ import annotations

from las.reporting.ablated import compared, label
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.results import Results
from las.reporting.table import Table
from las.reporting.tables.scored import KL, LEVELS, MODEL, TIME_STEPS, Scored, percent

_COLUMNS = (
    MODEL,
    Column[Scored]("Task", lambda row: task_title(row.score.task)),
    Column[Scored]("Metric", lambda row: metric_title(row.score.metric)),
    Column[Scored]("Neurons", lambda row: label(row.cell)),
    TIME_STEPS,
    LEVELS,
    Column[Scored]("ANN", lambda row: ann_number(row.score)),
    Column[Scored]("SNN", lambda row: snn_number(row.score)),
    KL,
    Column[Scored]("Agreement, %", lambda row: percent(row.score.agreement), ".2f"),
    Column[Scored]("Items", lambda row: row.score.items),
)


def ablations(results: Results) -> Table:
    """A row for every score of cells that differ in a part of the method, the whole first."""
    return tabulate(
        slug="ablations",
        title="Ablations (Figure 5)",
        columns=_COLUMNS,
        subjects=[
            Scored(cell, score)
            for group in compared(results)
            for first in group[0].scores
            for cell in group
            if (score := cell.score(first.task, first.metric)) is not None
        ],
        notes=(
            "The paper, Qwen2-VL-7B on RealWorldQA: 67.18 for the original, 66.79 for LAS, 3.36 "
            "points less with a single MT neuron for OAT, and 15.77 without spike-equivalent "
            "attention. Naive attention multiplies spikes of the same time step only. One FS "
            "neuron for a function codes its inputs in binary from one end of an interval to the "
            "other, without gates, so that its output is a straight line between two constants.",
        ),
        text_columns=4,
    )

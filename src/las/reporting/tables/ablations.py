"""What each part of the method does (Section 5.5)."""

from __future__ import annotations

from typing import NamedTuple

from las.reporting.ablated import compared, labels
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, snn_number
from las.reporting.results import Results
from las.reporting.table import Table
from las.reporting.tables.scored import (
    KL,
    LEVELS,
    METRIC,
    MODEL,
    TASK,
    TIME_STEPS,
    Scored,
    percent,
)


class _Line(NamedTuple):
    row: Scored
    name: str


def _row(line: _Line) -> Scored:
    return line.row


_COLUMNS = (
    MODEL.of(_row),
    TASK.of(_row),
    METRIC.of(_row),
    Column[_Line]("Neurons", lambda line: line.name),
    TIME_STEPS.of(_row),
    LEVELS.of(_row),
    Column[_Line]("ANN", lambda line: ann_number(line.row.score)),
    Column[_Line]("SNN", lambda line: snn_number(line.row.score)),
    KL.of(_row),
    Column[_Line]("Agreement, %", lambda line: percent(line.row.score.agreement), ".2f"),
    Column[_Line]("Items", lambda line: line.row.score.items),
)


def ablations(results: Results) -> Table:
    """A row for every score of cells that differ in a part of the method, the whole first."""
    return tabulate(
        slug="ablations",
        title="Ablations (Figure 5)",
        columns=_COLUMNS,
        subjects=[
            _Line(Scored(cell, score), name)
            for group in compared(results)
            for task, metric in dict.fromkeys((s.task, s.metric) for c in group for s in c.scores)
            for cell, name in zip(group, labels(group), strict=True)
            if (score := cell.score(task, metric)) is not None
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

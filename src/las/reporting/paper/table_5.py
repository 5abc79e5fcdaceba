"""Table 5: scores and energy against H."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from las.evaluation.score import Score
from las.reporting.ablated import LAS, label
from las.reporting.names import (
    ann_number,
    evaluation_title,
    metric_title,
    snn_number,
    task_title,
)
from las.reporting.origin import origin_of
from las.reporting.paper.cited_rows import cited_levels, cited_table
from las.reporting.paper.score_table import key_of
from las.reporting.results import Results
from las.reporting.table import Cell, Number, Row, Table

_NOT_SHOWN = {"glue_stsb": "spearman", "stsb": "spearman"}
"""Of the two correlations that one: the paper has Pearson's on STS-B, other tasks Spearman's."""


def table_5(results: Results) -> Table:
    """Scores and energy against H."""
    cited = cited_table(5)
    sweeps = results.sweep("levels")
    levels = sorted({*cited_levels(), *[cell.levels for sweep in sweeps for cell in sweep]})
    columns = (*cited.columns[:3], *[f"H={h}" for h in levels])
    rows = []
    for row in cited.rows:
        by_name = dict(zip(cited.columns, row, strict=True))
        rows.append(cited.row(tuple(by_name.get(name) for name in columns)))
    notes = list(cited.footnotes)
    if sweeps:
        notes.append("Standard errors of the SNN scores are in the table of all scores.")
    for sweep in sweeps:
        neurons = label(sweep[0])
        title = sweep[0].title if neurons == LAS else f"{sweep[0].title}, {neurons}"
        by_level = {cell.levels: cell for cell in sweep}
        evaluation = evaluation_title(sweep[0].evaluation)
        notes.append(f"{title}, {evaluation}: T={sweep[0].time_steps} throughout.")
        for first in sweep[0].scores:
            if first.metric == _NOT_SHOWN.get(first.task, "pearson"):
                continue
            name = f"{task_title(first.task)}, {metric_title(first.metric)}"
            scores = {h: cell.score(first.task, first.metric) for h, cell in by_level.items()}
            measured: dict[int, Cell] = {
                h: replace(snn_number(s), stderr=None) for h, s in scores.items() if s
            }
            origin = origin_of(sweep, partial(_same, first), results.made, spiking=True)
            cells = (title, name, ann_number(first), *[measured.get(h) for h in levels])
            rows.append(Row(cells, origin=origin))
        ratios: dict[int, Cell] = {
            h: Number(cell.energy.total.ratio, spec=".3f")
            for h, cell in by_level.items()
            if cell.energy is not None and cell.energy.total.ratio is not None
        }
        name = f"E_snn/E_ann, {evaluation}"
        origin = origin_of(sweep, lambda score: True, results.made, spiking=True)
        rows.append(Row((title, name, "1", *[ratios.get(h) for h in levels]), origin=origin))
    return Table(
        slug="table5",
        title=f"Table 5. {cited.title}",
        columns=columns,
        rows=tuple(rows),
        notes=tuple(notes),
        text_columns=2,
    )


def _same(first: Score, score: Score) -> bool:
    return key_of(first) == key_of(score)

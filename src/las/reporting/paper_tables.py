"""The paper's Tables 1, 2, 3, 5 and 6: its rows, and below them those computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from las.evaluation.anytime import AFTER
from las.evaluation.score import Score
from las.reporting.cited_rows import cited_table
from las.reporting.results import CellResult, Results
from las.reporting.table import Cell, Number, Row, Table

TABLE_1_COLUMNS: Mapping[tuple[str, str], str] = {
    ("piqa", "acc"): "PIQA",
    ("arc_easy", "acc"): "ARC",
    ("openbookqa", "acc"): "OpenbookQA",
    ("winogrande", "acc"): "Winogrande",
    ("copa", "acc"): "COPA",
    ("wsc273", "acc"): "WSC",
    ("rte", "acc"): "RTE",
}
TABLE_2_COLUMNS: Mapping[tuple[str, str], str] = {
    ("enwik8", "bits_per_byte"): "En8",
    ("wikitext103", "perplexity"): "WT",
}
_TASKS = {
    "wordsim353": "WordSim-353",
    "simlex999": "SimLex-999",
    "lee": "Lee documents",
    "wikipedia": "held-out Wikipedia",
    "wikipedia_xml": "held-out Wikipedia XML",
    "piqa": "PIQA",
    "arc_easy": "ARC-Easy",
    "openbookqa": "OpenbookQA",
    "winogrande": "Winogrande",
    "copa": "COPA",
    "rte": "RTE",
    "wsc273": "WSC",
}
_METRICS = {
    "acc": "accuracy",
    "perplexity": "perplexity",
    "bits_per_byte": "bits per byte",
    "spearman": "Spearman",
    "pearson": "Pearson",
}
_OWN_COLUMNS = (
    "Columns to the right of the paper's hold data of this project; they stand for no column of "
    "the paper, and no number of the paper belongs in them."
)


def task_title(task: str) -> str:
    """A task's name as shown."""
    return _TASKS.get(task, task)


def metric_title(metric: str) -> str:
    """A metric's name as shown."""
    if metric.startswith(AFTER):
        return f"perplexity after {metric.removeprefix(AFTER)} steps"
    return _METRICS.get(metric, metric)


def ann_number(score: Score) -> Number:
    """The original's score; accuracies in per cent."""
    return _number(score, score.ann, score.ann_stderr)


def snn_number(score: Score) -> Number:
    """The spiking model's score; accuracies in per cent."""
    return _number(score, score.spiking, score.snn_stderr)


def _number(score: Score, value: float, stderr: float | None) -> Number:
    scale = 100.0 if score.metric == "acc" else 1.0
    digits = 3 if score.metric in ("perplexity", "bits_per_byte") else 2
    return Number(value * scale, None if stderr is None else stderr * scale, f".{digits}f")


def table_1(results: Results) -> Table:
    """Zero-shot accuracy."""
    return _beside_the_paper(1, results, TABLE_1_COLUMNS, ("acc",))


def table_2(results: Results) -> Table:
    """Perplexity and bits per byte."""
    return _beside_the_paper(2, results, TABLE_2_COLUMNS, ("bits_per_byte", "perplexity"))


def table_3(results: Results) -> Table:
    """Language understanding of encoders."""
    return _beside_the_paper(3, results, {}, ("spearman",))


def _beside_the_paper(
    number: int,
    results: Results,
    paper_columns: Mapping[tuple[str, str], str],
    metrics: Sequence[str],
) -> Table:
    """Cited rows, then for each model its ANN and its SNN nearest to the paper's T and H."""
    cells = {id(c): c for metric in metrics for c in results.headline(metric)}.values()
    by_model: dict[str, list[CellResult]] = {}
    for cell in cells:
        by_model.setdefault(cell.model, []).append(cell)
    groups = [(group[0].title, None, group) for group in by_model.values()]
    return _score_table(number, groups, paper_columns, metrics)


def table_6(results: Results) -> Table:
    """Scores of encoders against T."""
    groups: list[tuple[str, list[CellResult], list[CellResult]]] = []
    for sweep in results.sweep("time_steps"):
        if sweep[0].with_metric("spearman"):
            groups.append((sweep[0].title, sweep, sweep))
    return _score_table(6, groups, {}, ("spearman",))


def _score_table(
    number: int,
    groups: Sequence[tuple[str, list[CellResult] | None, list[CellResult]]],
    paper_columns: Mapping[tuple[str, str], str],
    metrics: Sequence[str],
) -> Table:
    """One ANN row per group, then one SNN row: for all cells together, or for each of a sweep."""
    cited = cited_table(number)
    all_cells = [cell for _, _, group in groups for cell in group]
    keys = list(
        dict.fromkeys(
            (score.task, score.metric)
            for cell in all_cells
            for score in cell.scores
            if score.metric in metrics
        )
    )
    own = [key for key in keys if key not in paper_columns]
    columns = [*cited.columns, *[f"{task_title(t)}, {metric_title(m)}" for t, m in own]]
    at = {key: columns.index(name) for key, name in paper_columns.items()}
    at |= {key: len(cited.columns) + i for i, key in enumerate(own)}

    rows = list(cited.padded(len(columns)))
    for title, sweep, group in groups:
        rows.append(_row([title, "✗", "N/A"], group, keys, at, len(columns), ann_number))
        for part in [group] if sweep is None else [[cell] for cell in sweep]:
            head: list[Cell] = [part[0].snn_title, "✓", str(part[0].time_steps)]
            rows.append(_row(head, part, keys, at, len(columns), snn_number))
    notes = list(cited.footnotes)
    if own:
        notes.append(_OWN_COLUMNS)
    if any(cell.scores for cell in all_cells):
        notes.append("Computed scores: value ± standard error.")
    notes += _parts(all_cells)
    return Table(
        slug=f"table{number}",
        title=f"Table {number}. {cited.title}",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=tuple(notes),
        text_columns=3,
    )


def _parts(cells: Sequence[CellResult]) -> list[str]:
    """A note that names every task of which only a part was scored."""
    parts = {
        f"{cell.title}, {task_title(score.task)}": f"{score.items:,} of {score.items_available:,}"
        for cell in cells
        for score in cell.scores
        if score.items < score.items_available
    }
    listed = "; ".join(f"{name}: {part}" for name, part in parts.items())
    return [f"Scored on a part of the items only: {listed}."] if parts else []


def _row(
    head: list[Cell],
    cells: Sequence[CellResult],
    keys: Sequence[tuple[str, str]],
    at: Mapping[tuple[str, str], int],
    width: int,
    number: Callable[[Score], Number],
) -> Row:
    row: list[Cell] = [*head, *[None] * (width - len(head))]
    for cell in cells:
        for key in keys:
            score = cell.score(*key)
            if score is not None:
                row[at[key]] = number(score)
    return Row(tuple(row))


def table_5(results: Results) -> Table:
    """Scores and energy against H."""
    cited = cited_table(5)
    sweeps = results.sweep("levels")
    cited_levels = [int(name.removeprefix("H=")) for name in cited.columns[3:]]
    levels = sorted({*cited_levels, *[cell.levels for sweep in sweeps for cell in sweep]})
    columns = (*cited.columns[:3], *[f"H={h}" for h in levels])
    rows = []
    for row in cited.rows:
        by_name = dict(zip(cited.columns, row, strict=True))
        rows.append(Row(tuple(by_name.get(name) for name in columns), source="cited"))
    notes = list(cited.footnotes)
    if sweeps:
        notes.append("Standard errors of the SNN scores are in the table of all scores.")
    for sweep in sweeps:
        title, by_level = sweep[0].title, {cell.levels: cell for cell in sweep}
        notes.append(f"{title}, {sweep[0].evaluation}: T={sweep[0].time_steps} throughout.")
        for first in sweep[0].scores:
            if first.metric == "pearson":
                continue
            name = f"{task_title(first.task)}, {metric_title(first.metric)}"
            scores = {h: cell.score(first.task, first.metric) for h, cell in by_level.items()}
            measured: dict[int, Cell] = {
                h: replace(snn_number(s), stderr=None) for h, s in scores.items() if s
            }
            rows.append(Row((title, name, ann_number(first), *[measured.get(h) for h in levels])))
        ratios: dict[int, Cell] = {
            h: Number(cell.energy.total.ratio, spec=".3f")
            for h, cell in by_level.items()
            if cell.energy is not None and cell.energy.total.ratio is not None
        }
        name = f"E_snn/E_ann, {sweep[0].evaluation}"
        rows.append(Row((title, name, "1", *[ratios.get(h) for h in levels])))
    return Table(
        slug="table5",
        title=f"Table 5. {cited.title}",
        columns=columns,
        rows=tuple(rows),
        notes=tuple(notes),
        text_columns=2,
    )

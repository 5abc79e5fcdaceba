"""The paper's Tables 1, 2, 3, 5 and 6: its rows, and below them those computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from las.evaluation.anytime import AFTER
from las.evaluation.score import Score
from las.reporting.cited_rows import cited_table
from las.reporting.results import CellResult, Results
from las.reporting.table import Cell, Number, Row, Table

Key = tuple[str, str]
"""A task and a metric."""

Columns = Mapping[str, tuple[Key, ...]]
"""Columns of the paper, and the scores that each shows."""

TABLE_1_COLUMNS: Columns = {
    "PIQA": (("piqa", "acc"),),
    "ARC": (("arc_easy", "acc"),),
    "OpenbookQA": (("openbookqa", "acc"),),
    "Winogrande": (("winogrande", "acc"),),
    "COPA": (("copa", "acc"),),
    "WSC": (("wsc273", "acc"),),
    "RTE": (("rte", "acc"),),
}
TABLE_2_COLUMNS: Columns = {
    "En8": (("enwik8", "bits_per_byte"),),
    "WT": (("wikitext103", "perplexity"),),
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
    return _number(score, score.snn, score.snn_stderr)


def _key(score: Score) -> Key:
    return score.task, score.metric


def _number(score: Score, value: float, stderr: float | None) -> Number:
    scale = 100.0 if score.metric == "acc" else 1.0
    digits = 3 if score.metric in ("perplexity", "bits_per_byte") else 2
    return Number(value * scale, None if stderr is None else stderr * scale, f".{digits}f")


def table_1(results: Results) -> Table:
    """Zero-shot accuracy."""
    return _beside_the_paper(1, results, TABLE_1_COLUMNS)


def table_2(results: Results) -> Table:
    """Perplexity and bits per byte."""
    return _beside_the_paper(2, results, TABLE_2_COLUMNS, _is_text)


def table_3(results: Results) -> Table:
    """Language understanding of encoders."""
    return _beside_the_paper(3, results, {}, _is_similarity)


def _is_text(score: Score) -> bool:
    return score.metric in ("bits_per_byte", "perplexity")


def _is_similarity(score: Score) -> bool:
    return score.metric == "spearman"


def _beside_the_paper(
    number: int,
    results: Results,
    paper_columns: Columns,
    own: Callable[[Score], bool] = lambda score: False,
) -> Table:
    """Cited rows, then for each model its ANN and its SNN nearest to the paper's T and H."""
    shown = {key for keys in paper_columns.values() for key in keys}
    by_model: dict[str, list[CellResult]] = {}
    for cell in results.headline(lambda score: _key(score) in shown or own(score)):
        by_model.setdefault(cell.model, []).append(cell)
    groups = [(group[0].title, None, group) for group in by_model.values()]
    return _score_table(number, groups, paper_columns, own)


def table_6(results: Results) -> Table:
    """Scores of encoders against T."""
    groups: list[tuple[str, list[CellResult], list[CellResult]]] = []
    for sweep in results.sweep("time_steps"):
        if any(_is_similarity(score) for score in sweep[0].scores):
            groups.append((sweep[0].title, sweep, sweep))
    return _score_table(6, groups, {}, _is_similarity)


def _score_table(
    number: int,
    groups: Sequence[tuple[str, list[CellResult] | None, list[CellResult]]],
    paper_columns: Columns,
    own: Callable[[Score], bool],
) -> Table:
    """One ANN row per group, then one SNN row: for all cells together, or for each of a sweep."""
    cited = cited_table(number)
    all_cells = [cell for _, _, group in groups for cell in group]
    in_paper = {key for keys in paper_columns.values() for key in keys}
    own_keys = dict.fromkeys(
        _key(score)
        for cell in all_cells
        for score in cell.scores
        if own(score) and _key(score) not in in_paper
    )
    own_columns: dict[str, tuple[Key, ...]] = {
        f"{task_title(t)}, {metric_title(m)}": ((t, m),) for t, m in own_keys
    }
    columns = (*cited.columns, *own_columns)
    keys = [{**paper_columns, **own_columns}.get(name, ()) for name in columns[3:]]

    rows = list(cited.padded(len(columns)))
    for title, sweep, group in groups:
        scores = [_combined(group, column, ann_number) for column in keys]
        rows.append(Row((title, "✗", "N/A", *scores)))
        for part in [group] if sweep is None else [[cell] for cell in sweep]:
            scores = [_combined(part, column, snn_number) for column in keys]
            rows.append(Row((part[0].snn_title, "✓", str(part[0].time_steps), *scores)))
    notes = list(cited.footnotes)
    if own_columns:
        notes.append(_OWN_COLUMNS)
    if any(cell.scores for cell in all_cells):
        notes.append("Computed scores: value ± standard error.")
    notes += _parts(all_cells)
    return Table(
        slug=f"table{number}",
        title=f"Table {number}. {cited.title}",
        columns=columns,
        rows=tuple(rows),
        notes=tuple(notes),
        text_columns=3,
    )


def _combined(
    cells: Sequence[CellResult], keys: Sequence[Key], number: Callable[[Score], Number]
) -> Cell:
    """The scores of one column; two metrics of a task stand as the paper prints them, a/b."""
    scores = [[cell.score(*key) for cell in cells] for key in keys]
    found = [number(known[0]) for key in scores if (known := [s for s in key if s is not None])]
    if len(found) < 2:
        return found[0] if found else None
    return "/".join(str(replace(score, stderr=None)) for score in found)


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

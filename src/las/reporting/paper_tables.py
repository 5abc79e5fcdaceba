"""The paper's Tables 1 to 6: its rows, and below them those computed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from las.evaluation.anytime import AFTER
from las.evaluation.score import Score
from las.reporting.cited_rows import cited_table
from las.reporting.results import CellResult, OriginalResult, Results
from las.reporting.table import Cell, Number, Row, Table, text

Key = tuple[str, str]
"""Task and metric of a score."""
Columns = Mapping[str, tuple[Key, ...]]
"""A column of the paper, and the scores that it shows."""

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
TABLE_3_COLUMNS: Columns = {
    "QQP": (("glue_qqp", "acc"),),
    "MNLI-m": (("glue_mnli", "acc"),),
    "SST-2": (("glue_sst2", "acc"),),
    "QNLI": (("glue_qnli", "acc"),),
    "RTE": (("glue_rte", "acc"),),
    "MRPC": (("glue_mrpc", "acc"), ("glue_mrpc", "f1")),
    "STS-B": (("glue_stsb", "pearson"), ("glue_stsb", "spearman")),
}
TABLE_4_COLUMNS: Columns = {
    "ScienceQA": (("ScienceQA_TEST", "acc"),),
    "RealWorldQA": (("RealWorldQA", "acc"),),
    "BLINK": (("BLINK", "acc"),),
    "POPE": (("POPE", "f1"),),
    "HallusionBench": (("HallusionBench", "aAcc+fAcc+qAcc"),),
    "MMStar": (("MMStar", "acc"),),
    "MME": (("MME", "mme"),),
}
_IN_TABLE_1 = {key for keys in TABLE_1_COLUMNS.values() for key in keys}
_IN_TABLE_3 = {key for keys in TABLE_3_COLUMNS.values() for key in keys}
_IN_TABLE_4 = {key for keys in TABLE_4_COLUMNS.values() for key in keys}
_EASY_VQA = ("easy-vqa", "EasyVQA_MCQ", "EasyVQA_YORN")
_SHARES = ("acc", "f1", "aAcc", "fAcc", "qAcc")
"""Metrics from 0 to 1, shown in per cent."""
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
    "easy-vqa": "easy-VQA",
    "EasyVQA_MCQ": "easy-VQA, multiple choice",
    "EasyVQA_YORN": "easy-VQA, yes or no",
    "glue_qqp": "QQP",
    "glue_mnli": "MNLI-m",
    "glue_sst2": "SST-2",
    "glue_qnli": "QNLI",
    "glue_rte": "RTE (fine-tuned)",
    "glue_mrpc": "MRPC",
    "glue_stsb": "STS-B",
}
_METRICS = {
    "acc": "accuracy",
    "f1": "F1",
    "mme": "points",
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
    """The original's score; accuracies and F1 in per cent."""
    return _number(score, score.ann, score.ann_stderr)


def snn_number(score: Score) -> Number:
    """The spiking model's score; accuracies and F1 in per cent."""
    return _number(score, score.spiking, score.snn_stderr)


def _number(score: Score, value: float, stderr: float | None) -> Number:
    scale = 100.0 if score.metric in _SHARES else 1.0
    digits = 3 if score.metric in ("perplexity", "bits_per_byte") else 2
    return Number(value * scale, None if stderr is None else stderr * scale, f".{digits}f")


def table_1(results: Results) -> Table:
    """Zero-shot accuracy."""
    return _beside_the_paper(1, results, TABLE_1_COLUMNS, lambda score: _key(score) in _IN_TABLE_1)


def table_2(results: Results) -> Table:
    """Perplexity and bits per byte."""
    return _beside_the_paper(
        2, results, TABLE_2_COLUMNS, lambda score: score.metric in ("bits_per_byte", "perplexity")
    )


def table_3(results: Results) -> Table:
    """Language understanding of encoders."""
    return _beside_the_paper(3, results, TABLE_3_COLUMNS, _of_encoders)


def table_4(results: Results) -> Table:
    """Vision-language tasks."""
    return _beside_the_paper(4, results, TABLE_4_COLUMNS, _of_vision_language)


def _of_vision_language(score: Score) -> bool:
    return _key(score) in _IN_TABLE_4 or score.task in _EASY_VQA


def _key(score: Score) -> Key:
    return score.task, score.metric


def _of_encoders(score: Score) -> bool:
    return _key(score) in _IN_TABLE_3 or score.metric == "spearman"


def _beside_the_paper(
    number: int,
    results: Results,
    paper_columns: Columns,
    shown: Callable[[Score], bool],
) -> Table:
    """Cited rows, then for each model its ANN and its SNN nearest to the paper's T and H."""
    rows: dict[str, list[OriginalResult]] = {}
    for cell in [*results.originals, *results.headline(shown)]:
        if any(map(shown, cell.scores)):
            rows.setdefault(cell.row, []).append(cell)
    groups = [(name, group, [_spiking(group)]) for name, group in rows.items()]
    return _score_table(number, groups, paper_columns, shown)


def table_6(results: Results) -> Table:
    """Scores of encoders against T."""
    sweeps: dict[tuple[str, int], list[CellResult]] = {}
    for sweep in results.sweep("time_steps"):
        if any(map(_of_encoders, sweep[0].scores)):
            for cell in sweep:
                sweeps.setdefault((cell.row, cell.time_steps), []).append(cell)
    groups = []
    for name in dict.fromkeys(row for row, _ in sweeps):
        parts = [cells for (row, _), cells in sorted(sweeps.items()) if row == name]
        groups.append((name, [cell for part in parts for cell in part], parts))
    return _score_table(6, groups, TABLE_3_COLUMNS, _of_encoders)


def _spiking(cells: Sequence[OriginalResult]) -> list[CellResult]:
    return [cell for cell in cells if isinstance(cell, CellResult)]


def _score_table(
    number: int,
    groups: Sequence[tuple[str, Sequence[OriginalResult], Sequence[Sequence[CellResult]]]],
    paper_columns: Columns,
    shown: Callable[[Score], bool],
) -> Table:
    """One ANN row per group, and one SNN row for each of its parts, whose cells share T and H.

    Args:
        number: of the paper's table.
        groups: name of the row, its cells, and their parts with a spiking model.
        paper_columns: where the paper's columns take their numbers from.
        shown: says of a score whether it is wanted.
    """
    cited = cited_table(number)
    all_cells = [cell for _, group, _ in groups for cell in group]
    keys = dict.fromkeys(_key(score) for cell in all_cells for score in cell.scores if shown(score))
    in_paper = {key for keys in paper_columns.values() for key in keys}
    own = {
        f"{task_title(t)}, {metric_title(m)}": ((t, m),) for t, m in keys if (t, m) not in in_paper
    }
    sources: list[tuple[Key, ...]] = [
        *[paper_columns.get(name, ()) for name in cited.columns[3:]],
        *own.values(),
    ]
    columns = (*cited.columns, *own)

    rows = list(cited.padded(len(columns)))
    for name, group, parts in groups:
        rows.append(_row([name, "✗", "N/A"], group, sources, ann_number))
        for part in parts:
            if part:
                head: list[Cell] = [part[0].snn_row, "✓", str(part[0].time_steps)]
                rows.append(_row(head, part, sources, snn_number))
    notes = list(cited.footnotes)
    if own:
        notes.append(_OWN_COLUMNS)
    if any(cell.scores for cell in all_cells):
        notes.append("Computed scores: value ± standard error.")
    notes += _parts(all_cells, shown)
    return Table(
        slug=f"table{number}",
        title=f"Table {number}. {cited.title}",
        columns=columns,
        rows=tuple(rows),
        notes=tuple(notes),
        text_columns=3,
    )


def _parts(cells: Sequence[OriginalResult], shown: Callable[[Score], bool]) -> list[str]:
    """A note that names every task of which only a part was scored."""
    parts = {
        f"{cell.title}, {task_title(score.task)}": f"{score.items:,} of {score.items_available:,}"
        for cell in cells
        for score in cell.scores
        if shown(score) and score.items < score.items_available
    }
    listed = "; ".join(f"{name}: {part}" for name, part in parts.items())
    return [f"Scored on a part of the items only: {listed}."] if parts else []


def _row(
    head: list[Cell],
    cells: Sequence[OriginalResult],
    sources: Sequence[tuple[Key, ...]],
    number: Callable[[Score], Number],
) -> Row:
    row = list(head)
    for keys in sources:
        found = [score for key in keys if (score := _first(cells, key)) is not None]
        if len(found) == 1:
            row.append(number(found[0]))
        else:  # two metrics of one task share a column
            row.append("/".join(text(number(score)) for score in found) or None)
    return Row(tuple(row))


def _first(cells: Sequence[OriginalResult], key: Key) -> Score | None:
    return next((s for cell in cells if (s := cell.score(*key)) is not None), None)


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

"""One of the paper's tables at a glance: its ANN and its LAS, our ANN and our SNN, and what they
differ by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from las.reporting.table import FROM_CITED, Cell, Number, Row, Table, listed

_TWO = {"MRPC": ("accuracy", "F1"), "STS-B": ("Pearson", "Spearman")}
"""Columns with two numbers, and what they are."""
_ENERGY = "E_snn/E_ann"
_THE_PAPERS = "Pearson"
"""The metric of the paper's Table 5; of ours it has that of STS-B alone."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")

_PAPER = ("Paper ANN", "Paper LAS", "Paper difference")
_OURS = ("Our ANN", "Our SNN", "Our difference")

Both = tuple[float, float] | None
"""The score of an original, and that of its spiking model."""


@dataclass(frozen=True)
class _Pair:
    """An original and its spiking model, with the columns that both have."""

    name: str
    steps: str
    source: str
    scores: dict[str, tuple[float, float]]


def glance_at_scores(table: Table, spec: str = ".2f") -> Table:
    """A line for every task, and for each of our models with it: Tables 1 to 4.

    Arguments:
        table: with columns Model, S and T on the left.
        spec: how numbers are shown.
    """
    paper, ours = _sides(table)
    rows = []
    for task in _tasks([*paper, *ours]):
        theirs = _mean([pair.scores[task] for pair in paper if task in pair.scores])
        mine = [pair for pair in ours if task in pair.scores]
        for pair in mine:
            rows.append(_row((task, pair.name), theirs, pair.scores[task], spec))
        if not mine:
            rows.append(_row((task, None), theirs, None, spec))
    names = ", ".join(pair.name for pair in paper)
    several = len(paper) > 1
    note = f"Paper: {'the mean of ' if several else ''}{names}."
    return _glance(table, ("Task", "Our model"), rows, note, means=several)


def glance_at_steps(table: Table) -> Table:
    """A line for every T, and for each of our models at it, with means over scores: Table 6."""
    paper, ours = _sides(table)
    rows = []
    for steps in sorted({pair.steps for pair in (*paper, *ours)}, key=int, reverse=True):
        theirs = _mean([s for pair in paper if pair.steps == steps for s in pair.scores.values()])
        mine = [pair for pair in ours if pair.steps == steps]
        for pair in mine:
            rows.append(_row((steps, pair.name), theirs, _mean(pair.scores.values()), ".2f"))
        if not mine:
            rows.append(_row((steps, None), theirs, None, ".2f"))
    note = "Means over the scores that Table 6 has at this T, of the original over the same ones."
    return _glance(table, ("T", "Our model"), rows, note, means=True)


def glance_at_levels(table: Table) -> Table:
    """A line for every H, and for each of our models at it, with the energies: Table 5."""
    paper = [row for row in table.rows if row.source == "cited"]
    models: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.source == "computed":
            models.setdefault(str(row.cells[0]), []).append(row)
    rows = []
    for place, level in enumerate(table.columns[3:], start=3):
        theirs, spent = _at(paper, place)
        found = {name: _at(_compared(group), place) for name, group in models.items()}
        mine = {name: one for name, one in found.items() if one != (None, None)}
        for name, (scores, energy) in mine.items() or [(None, (None, None))]:
            line = _row((level.removeprefix("H="), name), theirs, scores, ".2f").cells
            rows.append(Row((*line[:5], spent, *line[5:], energy)))
    columns = ("H", "Our model", *_PAPER, f"Paper {_ENERGY}", *_OURS, f"Our {_ENERGY}")
    note = (
        "Paper: BERT on STS-B, Pearson. Ours: the same where Table 5 has it of the model, "
        "otherwise the mean over the tasks with the first metric that it has."
    )
    return _table(table, columns, rows, note, means=False)


def _compared(rows: Sequence[Row]) -> list[Row]:
    """A model's rows on STS-B, by Pearson, with the energy below them; all where it has none."""
    names = [str(row.cells[1]) for row in rows]
    place = next((i for i, name in enumerate(names) if name.endswith(_THE_PAPERS)), None)
    if place is None:
        return list(rows)
    below = [row for row in rows[place:] if str(row.cells[1]).startswith(_ENERGY)]
    return [rows[place], *below[:1]]


def _at(rows: Sequence[Row], place: int) -> tuple[Both, Number | None]:
    """Original and spiking score in a column of Table 5, and the energy."""
    scores, energy, metric = [], None, None
    for row in rows:
        value = _numbers(row.cells[place])
        if not value:
            continue
        name = str(row.cells[1])
        if name.startswith(_ENERGY):
            energy = energy or Number(value[0], spec=".3f" if row.source == "computed" else ".2f")
        else:
            metric = metric or name.rpartition(", ")[2]
            if name.rpartition(", ")[2] == metric:
                scores.append((_numbers(row.cells[2])[0], value[0]))
    return _mean(scores), energy


def _sides(table: Table) -> tuple[list[_Pair], list[_Pair]]:
    """The pairs of the paper and ours."""
    pairs = list(_pairs(table))
    return [p for p in pairs if p.source == "cited"], [p for p in pairs if p.source == "computed"]


def _pairs(table: Table) -> Iterable[_Pair]:
    """Every row of LAS, with that of its original: of the same name, or the last one above it."""
    originals: dict[str, Row] = {}
    last: Row | None = None
    for row in table.rows:
        name = str(row.cells[0])
        if row.cells[1] == "✗":
            originals[name], last = row, row
        elif name.startswith("LAS ("):
            inside = name.removeprefix("LAS (").removesuffix(")")
            ann = last if row.source == "computed" else originals.get(inside)
            if ann is not None:
                # The paper's table of vision-language models has no column T.
                yield _Pair(inside, str(row.cells[2]), row.source, _shared(table, ann, row))


def _shared(table: Table, ann: Row, snn: Row) -> dict[str, tuple[float, float]]:
    found = {}
    for place, column in enumerate(table.columns[3:], start=3):
        both = list(zip(_numbers(ann.cells[place]), _numbers(snn.cells[place]), strict=False))
        names = _TWO.get(column, (None, None)) if len(both) > 1 else (None,)
        for name, scores in zip(names, both, strict=False):
            found[f"{column}, {name}" if name else column] = scores
    return found


def _numbers(cell: Cell) -> list[float]:
    """The numbers in a cell, without standard errors."""
    if isinstance(cell, Number):
        return [cell.value]
    parts = [] if cell is None else str(cell).split("/")
    matches = [_NUMBER.search(part.partition("±")[0]) for part in parts]
    return [float(match[0].replace(",", "")) for match in matches if match]


def _tasks(pairs: Iterable[_Pair]) -> list[str]:
    return list(dict.fromkeys(task for pair in pairs for task in pair.scores))


def _mean(scores: Iterable[tuple[float, float]]) -> Both:
    found = list(scores)
    return (fmean(a for a, _ in found), fmean(s for _, s in found)) if found else None


def _row(head: tuple[Cell, Cell], theirs: Both, mine: Both, spec: str) -> Row:
    cells: list[Cell] = [*head]
    for both in (theirs, mine):
        if both is None:
            cells += [None, None, None]
        else:
            ann, snn = both
            difference = Number(snn - ann, spec=f"+{spec}")
            cells += [Number(ann, spec=spec), Number(snn, spec=spec), difference]
    return Row(tuple(cells))


def _glance(
    table: Table, head: tuple[str, str], rows: Sequence[Row], note: str, means: bool
) -> Table:
    return _table(table, (*head, *_PAPER, *_OURS), rows, note, means)


def _table(
    table: Table, columns: tuple[str, ...], rows: Sequence[Row], note: str, means: bool
) -> Table:
    """The table; `means` says whether the paper's scores are means of what it has printed."""
    *scores, difference = _PAPER
    kinds = dict.fromkeys(scores, FROM_CITED if means else "cited")
    kinds |= {difference: FROM_CITED, **dict.fromkeys(_OURS, "computed")}
    if f"Paper {_ENERGY}" in columns:
        kinds |= {f"Paper {_ENERGY}": "cited", f"Our {_ENERGY}": "computed"}
    told = listed(kinds)
    return Table(
        slug=f"{table.slug}_glance",
        title=f"{table.title.partition('.')[0]} at a glance",
        columns=columns,
        rows=tuple(rows),
        notes=(f"{told[0].upper()}{told[1:]}. {note}",),
        text_columns=2,
        kinds=kinds,
    )

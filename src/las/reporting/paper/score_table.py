"""A table of the paper with computed scores below its rows, in the same columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from las.evaluation.score import Score
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.origin import origin_of
from las.reporting.paper.cited_rows import cited_table
from las.reporting.results import Made, OriginalResult, Results, Spiking
from las.reporting.table import Cell, Number, Origin, Row, Table, text

Key = tuple[str, str]
"""Task and metric of a score."""
Columns = Mapping[str, tuple[Key, ...]]
"""A column of the paper, and the scores that it shows."""
Group = tuple[str, Sequence[OriginalResult], Sequence[Sequence[Spiking]]]
"""A name, the results that tell the ANN, and spiking models, those of the same neurons together."""

_OWN_COLUMNS = (
    "Columns to the right of the paper's hold data of this project; they stand for no column of "
    "the paper, and no number of the paper belongs in them."
)


def key_of(score: Score) -> Key:
    """Task and metric of a score."""
    return score.task, score.metric


def keys_in(columns: Columns) -> set[Key]:
    """The scores that columns of the paper show."""
    return {key for keys in columns.values() for key in keys}


def beside_the_paper(
    number: int,
    results: Results,
    paper_columns: Columns,
    shown: Callable[[Score], bool],
) -> Table:
    """Cited rows, then for each model its ANN and its SNN nearest to the paper's T and H.

    Below them are the published conversions of the model. Models that were scored alone have a row
    of their own: another model of the same name may have been scored on other items.
    """
    alone: dict[str, list[OriginalResult]] = {}
    for original in results.originals:
        if any(map(shown, original.scores)):
            alone.setdefault(original.row, []).append(original)
    converted: dict[str, list[Spiking]] = {}
    spiking: list[Spiking] = [*results.headline(shown), *results.baselines]
    for cell in spiking:
        if any(map(shown, cell.scores)):
            converted.setdefault(cell.row, []).append(cell)
    groups: list[Group] = [(name, group, []) for name, group in alone.items()]
    groups += [(name, group, _by_neurons(group)) for name, group in converted.items()]
    return score_table(number, groups, paper_columns, shown, results.made)


def _by_neurons(cells: Sequence[Spiking]) -> list[list[Spiking]]:
    """Cells whose neurons are the same side by side."""
    parts: dict[tuple[str, str], list[Spiking]] = {}
    for cell in cells:
        parts.setdefault((cell.snn_row, cell.row_steps), []).append(cell)
    return list(parts.values())


def score_table(
    number: int,
    groups: Sequence[Group],
    paper_columns: Columns,
    shown: Callable[[Score], bool],
    made: Made,
) -> Table:
    """One ANN row per group, and one SNN row for each of its parts, whose neurons are the same.

    Args:
        number: of the paper's table.
        groups: name of the row, its cells, and their parts with a spiking model.
        paper_columns: where the paper's columns take their numbers from.
        shown: says of a score whether it is wanted.
        made: with what the cells were made.
    """
    cited = cited_table(number)
    all_cells = [cell for _, group, _ in groups for cell in group]
    keys = dict.fromkeys(
        key_of(score) for cell in all_cells for score in cell.scores if shown(score)
    )
    in_paper = keys_in(paper_columns)
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
        ann = origin_of(group, shown, made, spiking=False)
        rows.append(_row([name, "✗", "N/A"], group, sources, ann_number, ann))
        for part in parts:
            head: list[Cell] = [part[0].snn_row, "✓", part[0].row_steps]
            snn = origin_of(part, shown, made, spiking=True)
            rows.append(_row(head, part, sources, snn_number, snn))
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
    origin: Origin,
) -> Row:
    row = list(head)
    for keys in sources:
        found = [score for key in keys if (score := _first(cells, key)) is not None]
        if len(found) == 1:
            row.append(number(found[0]))
        else:  # two metrics of one task share a column
            row.append("/".join(text(number(score)) for score in found) or None)
    return Row(tuple(row), origin=origin)


def _first(cells: Sequence[OriginalResult], key: Key) -> Score | None:
    return next((s for cell in cells if (s := cell.score(*key)) is not None), None)

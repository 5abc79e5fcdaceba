"""Where a computed row of a table is from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from las.evaluation.score import Score
from las.reporting.names import task_title
from las.reporting.results import CellResult, Made, OriginalResult, Spiking
from las.reporting.table import Origin

_DIGITS = 12
"""How much of a fingerprint is shown."""


def origin_of(
    cells: Sequence[OriginalResult], shown: Callable[[Score], bool], made: Made, spiking: bool
) -> Origin:
    """The origin of a row that shows scores of some cells.

    Arguments:
        cells: at least one; they share their row in the table.
        shown: says of a score whether the row shows it.
        made: with what all was made.
        spiking: whether the row is about the spiking models, not their originals.
    """
    converted = [cell for cell in cells if isinstance(cell, Spiking)] if spiking else []
    items = {
        task_title(score.task): _part(score)
        for cell in cells
        for score in cell.scores
        if shown(score)
    }
    weights = (made.weights.get(cell.model) for cell in cells)
    return Origin(
        model=_listed(cell.title for cell in cells),
        time_steps=_listed(cell.row_steps for cell in converted) or "N/A",
        levels=_listed(str(cell.levels) for cell in converted if isinstance(cell, CellResult)),
        items=_listed(f"{task}: {part}" for task, part in items.items()),
        weights=_listed(found[:_DIGITS] for found in weights if found),
        revision=made.revision,
        date=made.date,
    )


def _part(score: Score) -> str:
    whole = f" of {score.items_available:,}" if score.items < score.items_available else ""
    return f"{score.items:,}{whole}"


def _listed(parts: Iterable[str]) -> str | None:
    """Different parts once each, in their order; None if there are none."""
    return "; ".join(dict.fromkeys(parts)) or None

"""Sweeps of T and H: what each value costs in loss and in energy, with a column for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from las.reporting.column import Column, tabulate
from las.reporting.names import metric_title, scaled, task_title
from las.reporting.swept import PAPER, Sweep, Swept
from las.reporting.table import Number, Table

_SYMBOLS = {"time_steps": "T", "levels": "H"}
_LOSS_NOTE = (
    "Mean KL(ANN || SNN) in nats, per item. Of correlations, behind which there are no "
    "probabilities, the relative error of the last hidden state."
)


def sweep_tables(sweeps: Sequence[Sweep]) -> list[Table]:
    """What was swept; loss, score and energy over T; loss and energy over H."""
    if not sweeps:
        return []
    return [
        _models(sweeps),
        _over("time_steps", "Loss", _loss, sweeps, _LOSS_NOTE),
        _over("time_steps", "Score", _score, sweeps, "The spiking model's, by the metrics above."),
        _over("time_steps", "Energy", _energy, sweeps, "E_snn / E_ann by Eq. 25."),
        _over("levels", "Loss", _loss, sweeps, "As above."),
        _over("levels", "Energy", _energy, sweeps, "E_snn / E_ann by Eq. 25."),
    ]


def _models(sweeps: Sequence[Sweep]) -> Table:
    firsts = [(sweep.name, sweep.cells[0]) for sweep in sweeps]
    return tabulate(
        slug="sweeps_models",
        title="What was swept",
        columns=(
            Column[tuple[str, Swept]]("Model", lambda row: row[0]),
            Column[tuple[str, Swept]]("Scored", lambda row: task_title(row[1].task)),
            Column[tuple[str, Swept]]("Metric", lambda row: metric_title(row[1].metric)),
            Column[tuple[str, Swept]]("Items", lambda row: row[1].items),
            Column[tuple[str, Swept]]("of", lambda row: row[1].items_available),
            Column[tuple[str, Swept]]("ANN", lambda row: scaled(row[1].metric, row[1].ann)),
            Column[tuple[str, Swept]]("Revision", lambda row: row[1].revision),
            Column[tuple[str, Swept]]("Date", lambda row: row[1].date),
        ),
        subjects=firsts,
        text_columns=3,
    )


def _over(
    setting: str,
    what: str,
    value: Callable[[Swept], Number | None],
    sweeps: Sequence[Sweep],
    note: str,
) -> Table:
    """A row for each value of the setting; models that have one value alone are left out."""
    columns = {s.name: found for s in sweeps if len(found := s.over(setting)) > 1}
    (held,) = PAPER.keys() - {setting}
    return tabulate(
        slug=f"sweeps_{what.lower()}_{setting}",
        title=f"{what} against {_SYMBOLS[setting]}, {_SYMBOLS[held]} = {PAPER[held]}",
        columns=(
            Column[int](_SYMBOLS[setting], lambda x: x),
            *[Column[int](name, partial(_cell, value, found)) for name, found in columns.items()],
        ),
        subjects=sorted({x for found in columns.values() for x in found}),
        notes=(note,),
    )


def _cell(
    value: Callable[[Swept], Number | None], found: dict[int, Swept], x: int
) -> Number | None:
    return value(found[x]) if x in found else None


def _loss(cell: Swept) -> Number | None:
    return None if cell.loss is None else Number(cell.loss, spec=".1e")


def _energy(cell: Swept) -> Number | None:
    return None if cell.energy is None else Number(cell.energy, spec=".3f")


def _score(cell: Swept) -> Number:
    return scaled(cell.metric, cell.snn)

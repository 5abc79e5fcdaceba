"""Sweeps of T and H as plain rows, read off results or kept in a small file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from las.evaluation.score import Score
from las.reporting.results import CellResult, Results

PAPER = {"time_steps": 16, "levels": 5}
"""The paper's T and H. In a sweep of one of them the other one is the paper's."""


@dataclass(frozen=True)
class Swept:
    """One cell of a sweep, by the first of its scores.

    Attributes:
        model: name of the model's directory.
        title: the model's name as shown.
        evaluation: name of the evaluation.
        time_steps: T.
        levels: H.
        task, metric: what was scored.
        items, items_available: how much of it, and how much there is.
        ann, snn: the two scores.
        snn_stderr: standard error, None where there is none.
        kl: mean KL(ANN || SNN) in nats, None where outputs are no probabilities.
        hidden_error: relative error of the last hidden state, None where it was not measured.
        energy: E_snn / E_ann (Eq. 25), None where it is not known.
        revision, date: of the sources, None where they are not known.
    """

    model: str
    title: str
    evaluation: str
    time_steps: int
    levels: int
    task: str
    metric: str
    items: int
    items_available: int
    ann: float
    snn: float
    snn_stderr: float | None
    kl: float | None
    hidden_error: float | None
    energy: float | None
    revision: str | None
    date: str | None

    @property
    def loss(self) -> float | None:
        """KL divergence; where there is none, the error of the hidden state."""
        return self.hidden_error if self.kl is None else self.kl


@dataclass(frozen=True)
class Sweep:
    """The cells of one model and evaluation.

    Attributes:
        name: the model's title, and the evaluation where a model has several.
        cells: all of them.
    """

    name: str
    cells: Sequence[Swept]

    def over(self, setting: str) -> dict[int, Swept]:
        """The cells in which only one setting varies, by its value, in rising order.

        Arguments:
            setting: "time_steps" or "levels".
        """
        (held,) = PAPER.keys() - {setting}
        found = [cell for cell in self.cells if getattr(cell, held) == PAPER[held]]
        return {
            getattr(cell, setting): cell
            for cell in sorted(found, key=lambda c: getattr(c, setting))
        }


def swept(results: Results) -> list[Swept]:
    """The cells that belong to a sweep of T or H, with nothing else changed, in rising order.

    A model and evaluation with one cell alone is no sweep.
    """
    found: dict[tuple[str, str], list[Swept]] = {}
    for cell in results.cells:
        if cell.plain and not cell.after_steps and cell.scores and _in_a_sweep(cell):
            made = results.made
            row = _row(cell, cell.scores[0], made.revision, made.date)
            found.setdefault((cell.model, cell.evaluation), []).append(row)
    return [
        row
        for rows in found.values()
        if len(rows) > 1
        for row in sorted(rows, key=lambda row: (row.time_steps, row.levels))
    ]


def sweeps(cells: Iterable[Swept]) -> list[Sweep]:
    """The cells by model and evaluation, in their order."""
    groups: dict[tuple[str, str], list[Swept]] = {}
    for cell in cells:
        groups.setdefault((cell.title, cell.evaluation), []).append(cell)
    titles = [title for title, _ in groups]
    return [
        Sweep(title if titles.count(title) == 1 else f"{title}, {evaluation}", group)
        for (title, evaluation), group in groups.items()
    ]


def write_swept(file: Path, cells: Iterable[Swept]) -> None:
    """Write a CSV file with a column for every attribute; what is None stays empty."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, [one.name for one in fields(Swept)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: f"{v:.6g}" if isinstance(v, float) else v for name, v in asdict(cell).items()}
            for cell in cells
        )


def read_swept(file: Path) -> list[Swept]:
    """Read what `write_swept` wrote.

    Raises:
        ValueError: a column is missing, or a value is not what it should be.
    """
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    try:
        return [_read(row) for row in rows]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{file} does not hold sweeps ({error!r}): write it anew with python -m pipeline.sweeps"
        ) from error


def _in_a_sweep(cell: CellResult) -> bool:
    return any(getattr(cell, setting) == value for setting, value in PAPER.items())


def _row(cell: CellResult, score: Score, revision: str | None, date: str | None) -> Swept:
    return Swept(
        model=cell.model,
        title=cell.title,
        evaluation=cell.evaluation,
        time_steps=cell.time_steps,
        levels=cell.levels,
        task=score.task,
        metric=score.metric,
        items=score.items,
        items_available=score.items_available,
        ann=score.ann,
        snn=score.spiking,
        snn_stderr=score.snn_stderr,
        kl=score.kl,
        hidden_error=score.extra.get("hidden_relative_error"),
        energy=None if cell.energy is None else cell.energy.total.ratio,
        revision=revision,
        date=date,
    )


def _read(row: dict[str, str]) -> Swept:
    """A row of the file; the types are those of the attributes."""
    values: dict[str, str | int | float | None] = {}
    for one in fields(Swept):
        text, kind = row[one.name], str(one.type)
        if not text and kind.endswith("None"):
            values[one.name] = None
        else:
            values[one.name] = {"int": int, "float": float, "str": str}[kind.split(" ")[0]](text)
    return Swept(**values)  # type: ignore[arg-type]

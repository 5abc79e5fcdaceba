"""The paper's own numbers, read from package data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

from las.reporting.table import Cell, Origin, Row


@dataclass(frozen=True)
class CitedTable:
    """One table of the paper.

    Attributes:
        title: heading.
        source: where the numbers are printed.
        columns: names of the columns.
        rows: the paper's rows; None where it prints a dash or nothing.
        notes: footnotes, and the slips of the paper.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    notes: tuple[str, ...]

    def padded(self, width: int) -> tuple[Row, ...]:
        """The rows, flagged as cited, with empty cells on the right up to `width`."""
        return tuple(self.row((*row, *[None] * (width - len(row)))) for row in self.rows)

    def row(self, cells: tuple[Cell, ...]) -> Row:
        """One row of these, with its citation."""
        return Row(cells, "cited", Origin(cited=self.source))

    @property
    def footnotes(self) -> tuple[str, ...]:
        """The notes, headed by the source."""
        return (f"Cited rows: {self.source}.", *self.notes)


def cited_table(number: int) -> CitedTable:
    """The paper's Table `number`, from 1 to 6."""
    path = resources.files("las.reporting") / "cited" / f"table{number}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    return CitedTable(
        title=data["title"],
        source=data["source"],
        columns=tuple(data["columns"]),
        rows=tuple(tuple(row) for row in data["rows"]),
        notes=tuple(data["notes"]),
    )


def cited_levels() -> list[int]:
    """The values of H in the paper's Table 5."""
    return [int(name.removeprefix("H=")) for name in cited_table(5).columns[3:]]

"""A column: its title, its value and its format, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from las.reporting.table import Cell, Number, Row, Table

Subject = TypeVar("Subject")
"""What one row of the table is about."""
Other = TypeVar("Other")


@dataclass(frozen=True)
class Column(Generic[Subject]):
    """One column of a table.

    Attributes:
        title: its heading.
        value: what to show, given the subject of a row; None shows a dash.
        spec: format specification of a number, e.g. ".2f"; without one, text, integers and
            `Number`s are shown as they are.
        stderr: the standard error of the value, if it has one.
    """

    title: str
    value: Callable[[Subject], Cell | float]
    spec: str | None = None
    stderr: Callable[[Subject], float | None] | None = None

    def cell(self, subject: Subject) -> Cell:
        """The cell of one row."""
        value = self.value(subject)
        if self.spec is None or not isinstance(value, int | float):
            return cast(Cell, value)
        return Number(value, None if self.stderr is None else self.stderr(subject), self.spec)

    def of(self, subject_of: Callable[[Other], Subject]) -> Column[Other]:
        """The same column for rows of another kind, each of which has such a subject."""
        return Column(self.title, lambda other: self.cell(subject_of(other)))


def tabulate(
    slug: str,
    title: str,
    columns: Iterable[Column[Subject]],
    subjects: Iterable[Subject],
    notes: tuple[str, ...] = (),
    text_columns: int = 1,
) -> Table:
    """A table with a row for every subject; the other arguments are those of `Table`."""
    columns = tuple(columns)
    return Table(
        slug=slug,
        title=title,
        columns=tuple(column.title for column in columns),
        rows=tuple(Row(tuple(column.cell(one) for column in columns)) for one in subjects),
        notes=notes,
        text_columns=text_columns,
    )

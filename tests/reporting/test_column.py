"""A column says once what it is called, what it shows and how."""

from __future__ import annotations

from typing import NamedTuple

from las.reporting.column import Column, tabulate
from las.reporting.table import Number, text


class Race(NamedTuple):
    name: str
    laps: int
    seconds: float | None
    error: float | None = None


COLUMNS = (
    Column[Race]("Race", lambda race: race.name),
    Column[Race]("Laps", lambda race: race.laps),
    Column[Race]("Seconds", lambda race: race.seconds, ".1f", stderr=lambda race: race.error),
    Column[Race]("Laps as a number", lambda race: race.laps, ".2f"),
)


def test_cells_are_shown_in_the_format_of_their_column() -> None:
    table = tabulate("t", "A table", COLUMNS, [Race("a", 1200, 3.14, 0.25), Race("b", 1, None)])
    assert table.columns == ("Race", "Laps", "Seconds", "Laps as a number")
    assert [text(cell) for cell in table.rows[0].cells] == ["a", "1,200", "3.1 ± 0.2", "1200.00"]
    assert [text(cell) for cell in table.rows[1].cells] == ["b", "1", "–", "1.00"]


def test_numbers_keep_all_their_digits() -> None:
    (row,) = tabulate("t", "A table", COLUMNS, [Race("a", 1, 3.14159, 0.25)]).rows
    assert row.cells[2] == Number(3.14159, 0.25, ".1f")


def test_a_number_that_brings_its_format_keeps_it() -> None:
    column = Column[float]("x", lambda x: Number(x, spec=".0e"))
    assert text(column.cell(1234.0)) == "1e+03"

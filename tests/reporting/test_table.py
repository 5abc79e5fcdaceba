"""Tables: what is shown, what is missing, and who computed it."""

from __future__ import annotations

import csv
import io

import pytest

from las.reporting.table import Number, Row, Table


@pytest.fixture
def table() -> Table:
    return Table(
        slug="t",
        title="A table",
        columns=("Model", "acc", "loss"),
        rows=(
            Row(("theirs*", "0.00*", None), source="cited"),
            Row(("ours", Number(61.234, 1.5), Number(-0.0001, spec="+.2f"))),
        ),
        notes=("A note.",),
    )


def test_markdown_tells_cited_and_computed_rows_apart(table: Table) -> None:
    lines = table.to_markdown().splitlines()
    assert lines[4] == "| theirs\\* † | 0.00\\* | – |"
    assert lines[5] == "| **ours** | **61.23 ± 1.50** | **0.00** |"
    assert "A note." in lines


def test_csv_has_full_numbers_errors_and_sources(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert rows[0] == {
        "Model": "theirs*",
        "acc": "0.00*",
        "acc stderr": "–",
        "loss": "–",
        "source": "cited",
    }
    assert rows[1]["acc"] == "61.234"
    assert rows[1]["acc stderr"] == "1.5"
    assert rows[1]["source"] == "computed"


def test_records_keep_numbers_as_numbers(table: Table) -> None:
    columns, rows = table.records()
    assert columns == ["Model", "acc", "acc stderr", "loss", "source"]
    assert rows[1] == ["ours", 61.234, 1.5, -0.0001, "computed"]


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells for 1 columns"):
        Table("t", "A table", ("one",), (Row(("a", "b")),))


def test_an_empty_table_says_so() -> None:
    assert "No results yet." in Table("t", "A table", ("one",), ()).to_markdown()


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (Number(-0.001), "0.00"),
        (Number(0.5, spec="+.2f"), "+0.50"),
        (Number(3.2e-6, spec=".2e"), "3.20e-06"),
        (Number(1234567.0, spec=",.0f"), "1,234,567"),
        (Number(-0.02, 0.011, "+.3f"), "-0.020 ± 0.011"),
    ],
)
def test_numbers_as_shown(number: Number, shown: str) -> None:
    assert str(number) == shown

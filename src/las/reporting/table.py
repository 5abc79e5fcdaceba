"""A table whose rows, or columns, know whether they were computed here or cited."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MISSING = "–"
CITED_MARK = "†"


@dataclass(frozen=True)
class Number:
    """One measured number.

    Attributes:
        value: the number.
        stderr: its standard error, where one is known.
        spec: format specification for display, e.g. ".2f".
    """

    value: float
    stderr: float | None = None
    spec: str = ".2f"

    def __str__(self) -> str:
        plain = self.spec.lstrip("+")
        shown = f"{self.value:{self.spec}}"
        if float(shown.replace(",", "")) == 0:  # neither -0.00 nor +0.00
            shown = f"{0:{plain}}"
        return shown if self.stderr is None else f"{shown} ± {self.stderr:{plain}}"


Cell = Number | str | int | None
Source = Literal["computed", "cited"]

FROM_CITED = "from cited numbers"
"""What kind of number a column holds that is computed from those of a publication."""


def text(cell: Cell) -> str:
    """A cell as it is shown; a missing one as a dash."""
    if cell is None:
        return MISSING
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


@dataclass(frozen=True)
class Origin:
    """Where a row is from; what is not known or not meant is None.

    Attributes:
        cited: publication and table; None of rows that were computed here.
        model: the model's name.
        time_steps: T, "N/A" of an original.
        levels: H.
        items: what was scored, and how much of what there is.
        weights: fingerprints of the model's weights, their first digits.
        revision: of the sources that computed it.
        date: of that revision.
    """

    cited: str | None = None
    model: str | None = None
    time_steps: str | None = None
    levels: str | None = None
    items: str | None = None
    weights: str | None = None
    revision: str | None = None
    date: str | None = None


_ORIGIN_TITLES = {
    "cited": "cited from",
    "model": "model",
    "time_steps": "T",
    "levels": "H",
    "items": "items",
    "weights": "weights",
    "revision": "revision",
    "date": "date",
}


@dataclass(frozen=True)
class Row:
    """One row, as long as the table has columns.

    Attributes:
        cells: one per column; None where there is no value.
        source: "computed" by this pipeline, or "cited" from the paper.
        origin: where it is from, in full, where a table says so.
    """

    cells: tuple[Cell, ...]
    source: Source = "computed"
    origin: Origin | None = None


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        slug: name of its files.
        title: heading.
        columns: names of the columns.
        rows: cited and computed rows, in the order in which they are shown.
        notes: footnotes; the source of cited rows and the slips in it.
        text_columns: how many columns on the left hold text (shown left-aligned).
        kinds: of a table with cited and computed numbers in one row, what the columns hold:
            "cited", `FROM_CITED` or "computed", by name. Its column `source` lists them.

    Raises:
        ValueError: a row has not one cell for every column.
    """

    slug: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    text_columns: int = 1
    kinds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"Table {self.slug}: a row has {len(row.cells)} cells for "
                    f"{len(self.columns)} columns: {row.cells}"
                )

    @property
    def sources(self) -> set[Source]:
        """The kinds of rows this table holds."""
        return {row.source for row in self.rows}

    @property
    def origins(self) -> Table | None:
        """How each computed row was computed, as a table of its own; None if no row says so."""
        told = [row for row in self.rows if row.source == "computed" and row.origin is not None]
        titles = [title for name, title in _ORIGIN_TITLES.items() if name != "cited"]
        rows = []
        for row in told:
            name = ", ".join(text(cell) for cell in row.cells[: self.text_columns])
            rows.append(Row((name, *_origin_values(row)[1:])))
        return (
            None
            if not told
            else Table(
                slug=f"{self.slug}_origins",
                title=f"How the rows of {self.title.partition('.')[0]} were computed",
                columns=("Row", *(title[0].upper() + title[1:] for title in titles)),
                rows=tuple(rows),
                text_columns=len(titles) + 1,
            )
        )

    def records(self) -> tuple[list[str], list[list[str | float | None]]]:
        """Columns and rows as plain data, for CSV files and trackers.

        Returns:
            The columns, with a column "... stderr" after each one that has standard errors and
            "source" on the right, after which columns "source: ..." say where each row is from, if
            any row says so; and the rows, numbers unrounded, None where there is no value.
        """
        told = any(row.origin for row in self.rows)
        with_error = [
            any(_stderr(row.cells[i]) is not None for row in self.rows)
            for i in range(len(self.columns))
        ]
        columns: list[str] = []
        for name, has_error in zip(self.columns, with_error, strict=True):
            columns += [name, f"{name} stderr"] if has_error else [name]
        rows = []
        for row in self.rows:
            values: list[str | float | None] = []
            for cell, has_error in zip(row.cells, with_error, strict=True):
                values.append(cell.value if isinstance(cell, Number) else cell)
                if has_error:
                    values.append(_stderr(cell))
            rows.append([*values, self._source(row), *(_origin_values(row) if told else ())])
        titles = [f"source: {title}" for title in _ORIGIN_TITLES.values()] if told else []
        return [*columns, "source", *titles], rows

    def _source(self, row: Row) -> str:
        """Who computed a row; where columns differ, who computed those that have a value in it."""
        filled = {
            name for name, cell in zip(self.columns, row.cells, strict=True) if cell is not None
        }
        return listed({n: kind for n, kind in self.kinds.items() if n in filled}) or row.source

    def to_csv(self) -> str:
        """As CSV, with a column `source`; missing cells are a dash."""
        columns, rows = self.records()
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(
                [MISSING if v is None else f"{v:.10g}" if isinstance(v, float) else v for v in row]
            )
        return buffer.getvalue()

    def to_markdown(self) -> str:
        """As Markdown; computed rows are bold, cited ones carry a dagger."""
        both = len(self.sources) > 1
        lines = [f"### {self.title}", ""]
        lines.append("| " + " | ".join(_escape(name) for name in self.columns) + " |")
        left = self.text_columns
        lines.append("|" + "---|" * left + "--:|" * (len(self.columns) - left))
        for row in self.rows:
            cells = [_escape(text(cell)) for cell in row.cells]
            if row.source == "cited":
                cells[0] += f" {CITED_MARK}"
            elif both:
                cells = [cell if cell == MISSING else f"**{cell}**" for cell in cells]
            lines.append("| " + " | ".join(cells) + " |")
        if not self.rows:
            lines += ["", "No results yet."]
        if "cited" in self.sources:
            lines += ["", f"{CITED_MARK} cited from the paper; bold: computed by this pipeline."]
        for note in self.notes:
            lines += ["", _escape(note)]
        if self.origins:
            lines += ["", self.origins.to_markdown().rstrip()]
        return "\n".join(lines) + "\n"


def listed(kinds: Mapping[str, str]) -> str:
    """The columns of each kind, in words: "cited: ANN; computed: SNN, difference"."""
    found: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        found.setdefault(kind, []).append(name)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items())


def _origin_values(row: Row) -> list[str | None]:
    origin = row.origin or Origin()
    return [getattr(origin, name) for name in _ORIGIN_TITLES]


def _stderr(cell: Cell) -> float | None:
    return cell.stderr if isinstance(cell, Number) else None


def _escape(content: str) -> str:
    return content.replace("|", "\\|").replace("*", "\\*")

"""Self-contained pages: style and pictures inside it, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from las.reporting.figures.picture import Picture
from las.reporting.summary import ModelSummary
from las.reporting.table import MISSING, Table, text


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: its id.
        title: heading.
        intro: a sentence below the heading.
        tables: shown first.
        pictures: shown below the tables.
        folded: tables shown closed, to be opened by the reader.
        pages: further pages, by title: where they are.
    """

    anchor: str
    title: str
    intro: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    folded: Sequence[Table] = ()
    pages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CellInDetail:
    """One cell on the page of its model.

    Attributes:
        anchor: its id.
        title: heading.
        verdict: a paragraph.
        tables: shown below it.
    """

    anchor: str
    title: str
    verdict: str
    tables: Sequence[Table]


def render_page(
    summaries: Sequence[ModelSummary],
    sections: Sequence[Section],
    missing: Sequence[str],
    damaged: Sequence[str],
    provenance: Mapping[str, str],
) -> str:
    """The report as HTML; every name and number is escaped."""
    return _render(
        "report.html.jinja",
        summaries=summaries,
        sections=sections,
        missing=missing,
        damaged=damaged,
        provenance=provenance,
        dash=MISSING,
    )


def render_cells(
    title: str, data: str, overview: Sequence[Table], cells: Sequence[CellInDetail]
) -> str:
    """The page of a model as HTML: all cells in a few tables, and each one in detail.

    Arguments:
        title: the model's name.
        data: a file beside the page with all numbers.
        overview: tables with a row for each cell.
        cells: shown closed.
    """
    return _render("cells.html.jinja", title=title, data=data, overview=overview, cells=cells)


def _render(template: str, **content: Any) -> str:
    environment = Environment(
        loader=PackageLoader("las.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = text
    return environment.get_template(template).render(**content)

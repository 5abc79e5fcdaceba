"""One self-contained page: style and pictures inside it, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """

    anchor: str
    title: str
    intro: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    folded: Sequence[Table] = ()


def render_page(
    summaries: Sequence[ModelSummary],
    sections: Sequence[Section],
    missing: Sequence[str],
    damaged: Sequence[str],
    provenance: Mapping[str, str],
) -> str:
    """The report as HTML; every name and number is escaped."""
    environment = Environment(
        loader=PackageLoader("las.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = text
    return environment.get_template("report.html.jinja").render(
        summaries=summaries,
        sections=sections,
        missing=missing,
        damaged=damaged,
        provenance=provenance,
        dash=MISSING,
    )

"""The pages with tables of the grid, and how a table is written there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from las.reporting.table import Cell, Table, text
from pipeline.marked import put_between
from pipeline.tables import ablations, baselines, results
from pipeline.tables.metrics import Metrics

PAGES: Mapping[str, Callable[[Metrics], Iterator[Table]]] = {
    "results": results.tables,
    "ablations": ablations.tables,
    "baselines": baselines.tables,
}
"""The tables of each page, docs/<name>.md. A table's slug is the name of its marks."""


def page(name: str, content: str, metrics: Metrics) -> str:
    """A page with its tables made from the figures.

    Arguments:
        name: which of `PAGES`.
        content: the page as it is.
        metrics: the figures.

    Raises:
        MissingFigureError: the figures lack what a table shows.
        ValueError: a table has not two marks on the page.
    """
    for table in PAGES[name](metrics):
        content = put_between(content, f"<!-- {table.slug} -->", markdown(table))
    return content


def markdown(table: Table) -> str:
    """A table as the pages have it: below its title, if it has one; None is an empty cell."""
    lines = [
        _line(table.columns),
        f"|{'---|' * len(table.columns)}",
        *(_line(row.cells) for row in table.rows),
    ]
    return "\n".join([table.title, "", *lines] if table.title else lines)


def _line(cells: tuple[Cell, ...]) -> str:
    shown = ("" if cell is None else text(cell) for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in shown)

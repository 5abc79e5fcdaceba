"""Every cell under all accounts, layer by layer: a page and a CSV file for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from las.energy import Account, Charge, Hardware, verdict
from las.reporting.ablated import label
from las.reporting.accounted import Accounted
from las.reporting.column import Column, tabulate
from las.reporting.html import CellInDetail, render_cells
from las.reporting.names import block_title, evaluation_title
from las.reporting.table import Table
from las.reporting.tables.accounts import (
    accounts_by_kind,
    accounts_by_layer,
    accounts_by_part,
    accounts_of_cells,
    latency_of_cells,
)

FOLDER = "accounts"


def write_cells(cells: Sequence[Accounted], hardware: Hardware, output_dir: Path) -> dict[str, str]:
    """Write `accounts/<model>.html` and `accounts/<model>.csv`.

    Arguments:
        cells: all cells whose spikes were counted.
        hardware: what they were charged for.
        output_dir: of the report.

    Returns:
        the pages' places below it, by the titles of their models.
    """
    by_model: dict[str, list[Accounted]] = {}
    for one in cells:
        by_model.setdefault(one.cell.model, []).append(one)
    pages = {}
    folder = output_dir / FOLDER
    if by_model:
        folder.mkdir(parents=True, exist_ok=True)
    for model, group in by_model.items():
        title = group[0].cell.title
        overview = [accounts_of_cells(group, hardware, last) for last in (False, True)]
        page = render_cells(
            title,
            f"{quote(model)}.csv",
            [*overview, latency_of_cells(group)],
            [_in_detail(one) for one in group],
        )
        (folder / f"{model}.html").write_text(page, encoding="utf-8")
        (folder / f"{model}.csv").write_text(by_layer_and_account(group).to_csv(), encoding="utf-8")
        pages[title] = f"{FOLDER}/{quote(model)}.html"
    return pages


def by_layer_and_account(cells: Sequence[Accounted]) -> Table:
    """A row for each cell, account and block, and for each account in total; µJ per token."""

    @dataclass(frozen=True)
    class Line:
        one: Accounted
        account: Account
        block: str
        charge: Charge

        def microjoules(self, side: str) -> float | None:
            parts = getattr(self.charge, side)
            runs = side != "ann" or self.account.ann is not None
            return self.one.microjoules(parts.total) if parts and runs else None

    lines = [
        Line(one, account, block, charge)
        for one in cells
        for account in one.accounts.accounts
        for key in (lambda row: block_title(row.name), lambda row: "total")
        for block, charge in account.grouped(key).items()
    ]
    columns = (
        Column[Line]("Cell", lambda line: line.one.cell.neuron),
        Column[Line]("Evaluation", lambda line: evaluation_title(line.one.cell.evaluation)),
        Column[Line]("Neurons", lambda line: label(line.one.cell)),
        Column[Line]("T", lambda line: line.one.cell.row_steps),
        Column[Line]("H", lambda line: line.one.cell.levels),
        Column[Line]("Account", lambda line: f"{line.account.number} {line.account.title}"),
        Column[Line]("Block", lambda line: line.block),
        Column[Line]("E_snn", lambda line: line.microjoules("snn"), ".4g"),
        Column[Line]("E_snn, last operand only", lambda line: line.microjoules("last"), ".4g"),
        Column[Line]("E_ann", lambda line: line.microjoules("ann"), ".4g"),
    )
    return tabulate("accounts_by_layer", "All accounts, block by block", columns, lines)


def _in_detail(one: Accounted) -> CellInDetail:
    cell = one.cell
    return CellInDetail(
        anchor=f"{cell.neuron}-{cell.evaluation}",
        title=f"{evaluation_title(cell.evaluation)}, {cell.setting} ({cell.neuron})",
        verdict=verdict(one.accounts),
        tables=(accounts_by_layer(one), accounts_by_kind(one), accounts_by_part(one)),
    )

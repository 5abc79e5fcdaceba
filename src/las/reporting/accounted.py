"""Cells whose spikes were counted, charged under all accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from las.energy import Account, Accounts, Hardware, accounts
from las.reporting.names import task_title
from las.reporting.results import CellResult, Results

HEADLINE = (
    "paper",
    "graded_fp32",
    "neuron_major_fp32",
    "time_major_fp32",
    "graded_int8",
    "neuron_major_int8",
)
"""The accounts that are shown kind by kind and layer by layer."""


@dataclass(frozen=True)
class Accounted:
    """One cell and its accounts."""

    cell: CellResult
    accounts: Accounts

    @property
    def setting(self) -> str:
        """What was counted, in words."""
        cell = self.cell
        return f"{cell.title}, {task_title(cell.evaluation)}, {cell.setting}"

    @property
    def headline(self) -> list[Account]:
        """The accounts that are shown in detail, as far as the hardware has them."""
        return [one for one in self.accounts.accounts if one.slug in HEADLINE or not _has_ann(one)]


def accounted(results: Results, hardware: Hardware) -> list[Accounted]:
    """All cells with spikes, in the order of the grid.

    Those of models that were stopped early are left out: they add up what several T cost.
    """
    return [
        Accounted(cell, accounts(cell.spikes, hardware))
        for cell in results.cells
        if cell.spikes is not None and cell.spikes.operations and not cell.after_steps
    ]


def one_per_model(cells: Sequence[Accounted], results: Results) -> list[Accounted]:
    """Of each model the cell nearest to the paper's T=16 and H=5."""
    shown = {id(cell) for cell in results.one_per_model()}
    return [one for one in cells if id(one.cell) in shown]


def _has_ann(account: Account) -> bool:
    return account.slug != "synapses"

"""Cells whose spikes were counted, charged under all accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from las.energy import Account, Accounts, Hardware, accounts
from las.energy.formats import BF16, FP32, INT8
from las.reporting.names import evaluation_title
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

_FORMATS = (FP32.name, BF16.name, INT8.name)


@dataclass(frozen=True)
class Accounted:
    """One cell and its accounts."""

    cell: CellResult
    accounts: Accounts

    @property
    def setting(self) -> str:
        """What was counted, in words."""
        cell = self.cell
        return f"{cell.title}, {evaluation_title(cell.evaluation)}, {cell.setting}"

    def microjoules(self, picojoules: float) -> float:
        """Energy of all that was counted, for each token."""
        return picojoules / (self.accounts.tokens or 1) / 1e6

    @property
    def headline(self) -> list[Account]:
        """The accounts that are shown in detail, as far as the hardware has them."""
        return [one for one in self.accounts.accounts if one.slug in HEADLINE or not _has_ann(one)]


def accounts_of(cell: CellResult, hardware: Hardware) -> Accounts:
    """A cell under all accounts that mean something for it.

    With a budget T is the most that a site may have, and its codes carry fewer bits: there is no
    account against an ANN in integers of T bits.

    Arguments:
        cell: one with spikes.
        hardware: what they are charged for.
    """
    assert cell.spikes is not None
    found = accounts(cell.spikes, hardware)
    if cell.budget is None:
        return found
    kept = [one for one in found.accounts if one.number < 4 or one.slug.endswith(_FORMATS)]
    return replace(found, accounts=tuple(kept))


def accounted(results: Results, hardware: Hardware) -> list[Accounted]:
    """All cells with spikes, model by model; of a model those without a part of the method last.

    Those of models that were stopped early are left out: they add up what several T cost. Of
    published conversions only what Eq. 25 needs is counted.
    """
    cells = (*results.cells, *results.ablations)
    order = list(dict.fromkeys(cell.model for cell in cells))
    return [
        Accounted(cell, accounts_of(cell, hardware))
        for cell in sorted(cells, key=lambda cell: order.index(cell.model))
        if cell.spikes is not None and cell.spikes.operations and not cell.after_steps
    ]


def one_per_model(cells: Sequence[Accounted], results: Results) -> list[Accounted]:
    """Of each model the cell nearest to the paper's T=16 and H=5."""
    shown = {id(cell) for cell in results.one_per_model()}
    return [one for one in cells if id(one.cell) in shown]


def cheapest_with_a_budget(cells: Sequence[Accounted]) -> dict[str, Accounted]:
    """By the model's name, of its cells with a budget the one that takes least by Eq. 25."""
    found: dict[str, Accounted] = {}
    for one in cells:
        ratio, model = one.accounts["paper"].ratio, one.cell.model
        if one.cell.budget is not None and ratio is not None:
            least = found[model].accounts["paper"].ratio if model in found else None
            if least is None or ratio < least:
                found[model] = one
    return found


def _has_ann(account: Account) -> bool:
    return account.slug != "synapses"

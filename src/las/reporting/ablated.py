"""Cells from which a part of the method was taken, and those that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from las.reporting.results import CellResult, Results

_RULES = {"paper": "thresholds by the paper's rule", "released": "the released code's thresholds"}


def ablation_of(neuron: Mapping[str, Any]) -> str:
    """What was taken out, in a few words; "" for nothing.

    Arguments:
        neuron: the options of the conversion; those that older results lack are the usual ones.
    """
    if neuron.get("budget") is not None:
        return ""
    bands = neuron.get("bands", 2)
    rule = neuron.get("threshold_rule", "error")
    floor = rule == "error" and neuron["rounding"] == "floor"
    found = {
        "one band (no OAT)": bands == 1,
        f"{bands} bands": bands > 2,
        "naive attention": neuron.get("attention", "equivalent") == "naive",
        "one FS neuron for a function": neuron.get("functions", "hierarchical") == "flat",
        "fewer FS sub-neurons": bool(neuron.get("budgets")),
        "thresholds by percentile": rule == "percentile",
        "floor": floor,
    }
    return ", ".join(name for name, taken in found.items() if taken)


def label(cell: CellResult) -> str:
    """What a cell is called beside others."""
    return cell.ablation or _RULES.get(cell.threshold_rule, "LAS")


def labels(cells: Sequence[CellResult]) -> list[str]:
    """The same of several cells; of those called alike all but the first also by their neurons."""
    names: list[str] = []
    for cell in cells:
        name = label(cell)
        names.append(f"{name}, {cell.neuron}" if name in names else name)
    return names


def compared(results: Results) -> list[list[CellResult]]:
    """Per model, evaluation, T and H: cells that differ in a part of the method, the whole first.

    Groups of which no cell has lost a part are left out.
    """
    groups: dict[tuple[Any, ...], list[CellResult]] = {}
    for cell in (*results.ablations, *results.cells):
        if cell.budget is None:
            key = cell.model, cell.evaluation, cell.vision, cell.time_steps, cell.levels
            groups.setdefault(key, []).append(cell)
    found = [group for group in groups.values() if any(cell.ablation for cell in group)]
    found.sort(key=lambda group: (group[0].model, group[0].evaluation, -group[0].time_steps))
    return [sorted(group, key=lambda cell: (label(cell) != "LAS", label(cell))) for group in found]

"""What tells cells of one T and H apart, and those that lost a part of the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from las.reporting.results import CellResult, Results

LAS = "LAS"
"""What a cell is called that has the whole method, and one T at all sites."""

_RULES = {"paper": "thresholds by the paper's rule", "released": "the released code's thresholds"}
_ROUNDING = {"released": "floor"}
"""How a rule's neurons round, where it is not to the nearest level."""


def ablation_of(neuron: Mapping[str, Any]) -> str:
    """What was taken out or replaced, in a few words; "" for nothing.

    Arguments:
        neuron: the options of the conversion; those that older results lack are the usual ones.
    """
    if neuron.get("budget") is not None:
        return ""
    bands = neuron.get("bands", 2)
    rule = neuron.get("threshold_rule", "error")
    rounding, margin = neuron["rounding"], neuron.get("margin", 2)
    usual = _ROUNDING.get(rule, "nearest")
    found = {
        "one band (no OAT)": bands == 1,
        f"{bands} bands": bands > 2,
        "naive attention": neuron.get("attention", "equivalent") == "naive",
        "one FS neuron for a function": neuron.get("functions", "hierarchical") == "flat",
        "fewer FS sub-neurons": bool(neuron.get("budgets")),
        "thresholds by percentile": rule == "percentile",
        _rounded(rounding): rounding != usual,
        f"margin {margin:g}": margin != 2,
    }
    return ", ".join(name for name, taken in found.items() if taken)


def label(cell: CellResult) -> str:
    """What a cell is called beside others of its T and H."""
    rule = _RULES.get(cell.threshold_rule, "")
    frugal = "" if cell.budget is None else f"frugal {cell.budget:g}"
    return ", ".join(filter(None, (cell.ablation, rule, frugal))) or LAS


def _rounded(rounding: str) -> str:
    return rounding if rounding == "floor" else f"rounding: {rounding.replace('_', ' ')}"


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
    return [sorted(group, key=lambda cell: (label(cell) != LAS, label(cell))) for group in found]

"""LAS beside the systems that the paper compares with, on the same models and items."""

from __future__ import annotations

from typing import NamedTuple

from las.baselines.methods import METHODS
from las.evaluation.score import Score
from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.results import BaselineResult, Results, Spiking
from las.reporting.table import Table
from las.reporting.tables.scored import energy_ratio, percent


class _Row(NamedTuple):
    cell: Spiking
    score: Score


FLOAT = {
    "linear": "norms, activation functions, attention",
    "ffn": "norms, activation functions, attention, other linear layers",
}
"""What does not spike, by the sites of a method; `las.baselines.left_float` lists it."""


def _cannot(cell: Spiking) -> str | None:
    """What the neurons of a cell cannot do, in a few words."""
    if isinstance(cell, BaselineResult):
        method = METHODS.get(cell.method)
        return None if method is None else f"spike in {FLOAT[method.sites]}; keep a cache"
    return None if cell.vision == "spiking" else "spike in the vision tower"


def _warm_up(results: Results) -> str:
    """The steps of a warm-up, of the methods that have one."""
    shown = dict.fromkeys(cell.method for cell in results.baselines if cell.method in METHODS)
    steps = {name: METHODS[name].neuron.warm_up for name in shown}
    told = ", ".join(f"{count} of {name}" for name, count in steps.items() if count)
    return f"T is without the steps of a warm-up, {told}. " if told else ""


_COLUMNS = (
    Column[_Row]("Model", lambda row: row.cell.title),
    Column[_Row]("Task", lambda row: task_title(row.score.task)),
    Column[_Row]("Metric", lambda row: metric_title(row.score.metric)),
    Column[_Row]("Neurons", lambda row: row.cell.system),
    Column[_Row]("T", lambda row: row.cell.time_steps),
    Column[_Row]("ANN", lambda row: ann_number(row.score)),
    Column[_Row]("SNN", lambda row: snn_number(row.score)),
    Column[_Row]("Agreement, %", lambda row: percent(row.score.agreement), ".2f"),
    Column[_Row]("KL(ANN || SNN), nats", lambda row: row.score.kl, ".2e"),
    Column[_Row]("E_snn/E_ann", lambda row: energy_ratio(row.cell), ".3f"),
    Column[_Row]("Cannot", lambda row: _cannot(row.cell)),
)


def baselines(results: Results) -> Table:
    """A row for each score of a published conversion, below those of LAS on the same model."""
    return tabulate(
        slug="baselines",
        title="Published conversions beside LAS",
        columns=_COLUMNS,
        subjects=[
            _Row(cell, score)
            for group in results.beside_baselines()
            for cell in group
            for score in cell.scores
        ],
        notes=(
            f"LAS at H = 5. {_warm_up(results)}What reads no spikes costs its multiply-accumulates "
            "at each time step, which is what brings ratios above 1.",
            "Cannot: where the method has no neurons, the model computes with values, in "
            "attention its two products and the softmax, between modules a gate's product. Who "
            "keeps no cache reads the whole text anew for every token that is generated.",
        ),
        text_columns=4,
    )

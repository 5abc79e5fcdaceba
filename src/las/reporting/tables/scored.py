"""Columns that several tables share: of tables with a row per score, and of spiking models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from las.evaluation.score import Score
from las.reporting.ablated import label
from las.reporting.column import Column
from las.reporting.names import metric_title, task_title
from las.reporting.results import CellResult, Results, Spiking


class Scored(NamedTuple):
    """A score, and the cell of the grid that it belongs to."""

    cell: CellResult
    score: Score


def scored(results: Results) -> Iterator[Scored]:
    """All scores, by model; of a model in the order of `Results.of`."""
    for cell in ordered(results):
        for score in cell.scores:
            yield Scored(cell, score)


def ordered(results: Results) -> list[CellResult]:
    """All cells, in the same order."""
    return [cell for model in results.models for cell in results.of(model)]


def percent(share: float | None) -> float | None:
    """A share from 0 to 1 in per cent."""
    return None if share is None else 100 * share


def spikes_per_value(cell: CellResult) -> float | None:
    """Mean over all values that neurons coded."""
    values = _values(cell)
    return cell.spikes.spikes / values if cell.spikes and values else None


def share_out_of_range(cell: CellResult) -> float | None:
    """Share of the coded values that lie beyond what their neuron was calibrated for."""
    values = _values(cell)
    return cell.spikes.out_of_range / values if cell.spikes and values else None


def energy_ratio(cell: Spiking) -> float | None:
    """E_snn / E_ann (Eq. 25)."""
    return None if cell.energy is None else cell.energy.total.ratio


def _values(cell: CellResult) -> int:
    if cell.spikes is None:
        return 0
    return sum(site.activations for site in cell.spikes.sites.values())


MODEL = Column[Scored]("Model", lambda row: row.cell.title)
TEXT = Column[Scored]("Text", lambda row: task_title(row.score.task))
TASK = Column[Scored]("Task", lambda row: task_title(row.score.task))
METRIC = Column[Scored]("Metric", lambda row: metric_title(row.score.metric))
NEURONS = Column[Scored]("Neurons", lambda row: label(row.cell))
TIME_STEPS = Column[Scored]("T", lambda row: row.cell.row_steps)
LEVELS = Column[Scored]("H", lambda row: row.cell.levels)
KL = Column[Scored]("KL(ANN || SNN), nats", lambda row: row.score.kl, ".2e")

PERPLEXITIES = (
    Column[Scored]("Perplexity ANN", lambda row: row.score.ann, ".3f"),
    Column[Scored]("Perplexity SNN", lambda row: row.score.spiking, ",.3f"),
    Column[Scored](
        "Change, %",
        lambda row: row.score.extra.get("relative_change_percent"),
        "+,.3f",
        stderr=lambda row: row.score.extra.get("relative_change_stderr_percent"),
    ),
    KL,
    Column[Scored]("Same top-1 token, %", lambda row: percent(row.score.agreement), ".2f"),
    Column[Scored]("Tokens", lambda row: row.score.items),
)
"""Both perplexities, and how far the models stray from each other."""

SPIKING = (
    Column[CellResult]("Spikes per value", spikes_per_value, ".2f"),
    Column[CellResult]("Out of range", share_out_of_range, ".1e"),
    Column[CellResult]("E_snn/E_ann", energy_ratio, ".3f"),
)
"""How a model spikes."""


def _cell(row: Scored) -> CellResult:
    return row.cell


SPIKING_NOTE = (
    "Spikes per value: mean over all values coded, MT, OAT and HG neurons together. Out of range: "
    "share of the values beyond what their neuron was calibrated for."
)

SPIKING_OF_ITS_CELL = tuple(column.of(_cell) for column in SPIKING)
"""The same in a table of scores."""

"""Language models read off after each of their T time steps."""

from __future__ import annotations

from las.reporting.column import Column, tabulate
from las.reporting.results import Results
from las.reporting.table import Table
from las.reporting.tables.scored import (
    LEVELS,
    MODEL,
    NEURONS,
    PERPLEXITIES,
    TEXT,
    TIME_STEPS,
    Scored,
    energy_ratio,
    ordered,
)


def anytime(results: Results) -> Table:
    """A row for every time step of every cell that was read off after each."""
    return tabulate(
        slug="anytime",
        title="After each time step",
        columns=(
            MODEL,
            TEXT,
            NEURONS,
            TIME_STEPS,
            LEVELS,
            Column[Scored]("t", lambda row: int(row.score.extra["after_steps"])),
            *PERPLEXITIES,
            Column[Scored](
                "Spikes per token", lambda row: row.score.extra["spikes_per_token"], ",.0f"
            ),
            Column[Scored]("E_snn/E_ann", _energy_so_far, ".3f"),
        ),
        subjects=[
            Scored(cell, score) for cell in ordered(results) for _, score in cell.after_steps
        ],
        notes=(
            "One conversion, stopped: every neuron has fired in the first t of its T time steps, "
            "with the thresholds of all T, and is silent in the others. A conversion for t steps "
            "chooses its thresholds for them and loses less. Energy: Eq. 25 with the synaptic "
            "operations up to step t.",
        ),
        text_columns=3,
    )


def _energy_so_far(row: Scored) -> float | None:
    ratio = energy_ratio(row.cell)
    _, whole = row.cell.after_steps[-1]
    share = row.score.extra["sops_per_token"] / whole.extra["sops_per_token"]
    return None if ratio is None else ratio * share

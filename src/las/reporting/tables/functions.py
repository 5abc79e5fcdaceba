"""HG neurons: number of sub-neurons, range, errors on the dense grid, mean spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from las.fitting.fit import Fit
from las.reporting.column import Column, tabulate
from las.reporting.table import Table


class FittedFunction(NamedTuple):
    """A function that a model needs, by its title, name and fit."""

    model: str
    name: str
    fit: Fit


_COLUMNS = (
    Column[FittedFunction]("Model", lambda row: row.model),
    Column[FittedFunction]("Function", lambda row: row.name),
    Column[FittedFunction]("T", lambda row: row.fit.neuron.time_steps),
    Column[FittedFunction]("N", lambda row: row.fit.neuron.size),
    Column[FittedFunction]("From", lambda row: row.fit.neuron.low, ".4g"),
    Column[FittedFunction]("To", lambda row: row.fit.neuron.high, ".4g"),
    Column[FittedFunction]("Largest error", lambda row: row.fit.max_error, ".1e"),
    Column[FittedFunction]("Largest relative error", lambda row: row.fit.max_relative_error, ".1e"),
    Column[FittedFunction]("Mean error", lambda row: row.fit.mean_error, ".1e"),
    Column[FittedFunction]("Mean spikes", lambda row: row.fit.mean_spikes, ".2f"),
    Column[FittedFunction]("Within budget", lambda row: "yes" if row.fit.met else "no"),
)


def fitted_functions(fits: Sequence[FittedFunction]) -> Table:
    """A row for every function of every model."""
    return tabulate(
        slug="functions",
        title="Fitted functions (HG neurons)",
        columns=_COLUMNS,
        subjects=fits,
        notes=(
            "N: FS sub-neurons of T steps each, the fewest that meet the error budget. Errors over "
            "the calibrated range on a dense grid disjoint from the samples of the fit. The budget "
            "is absolute or relative, as the consumer of the function needs.",
        ),
        text_columns=2,
    )

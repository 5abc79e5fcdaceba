"""The stored records as figures; the same data give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.ratios import Spread
from benchmarks.records import COUNTING, SNN, Case, Comparison, Record

_COLOURS = {SNN: "#0072b2", COUNTING: "#d55e00"}
_NAMES = {SNN: "SNN", COUNTING: "SNN, counting spikes"}
_STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "svg.hashsalt": "las",
}
_SWEEPS = {
    "time_steps": ("time steps T, at H = 5", False),
    "levels": ("levels H, at T = 16", False),
    "width": ("hidden size", True),
}
"""Section, which is its parameter's name too: label of the axis, and whether it is in octaves."""


def draw(records: Sequence[Record], directory: Path) -> list[Path]:
    """Write a figure for each record that has one.

    Arguments:
        records: what was measured.
        directory: where to.

    Returns:
        The files written.
    """
    paths = []
    for record in records:
        path = directory / f"{record.section}.svg"
        if record.section in ("forward", "encoder"):
            paths.append(_bars(record, path))
        elif record.section in _SWEEPS:
            paths.append(_lines(record, path))
    return paths


def _bars(record: Record, path: Path) -> Path:
    cases = [case for case in record.cases if case.unmeasured is None]
    with _drawing(path, max(6.0, 1.4 * len(cases))) as axes:
        for number, comparison in enumerate((SNN, COUNTING)):
            spreads = _spreads(cases, comparison)
            axes.bar(
                [place + 0.4 * (number - 0.5) for place in range(len(cases))],
                [spread.median for spread in spreads],
                width=0.36,
                yerr=_whiskers(spreads),
                capsize=3,
                color=_COLOURS[comparison],
                label=_NAMES[comparison],
            )
        names = [case.name.replace(", ", ",\n") for case in cases]
        axes.set_xticks(range(len(cases)), names, fontsize=8)
        axes.set_xlabel("sequences x tokens")
    return path


def _lines(record: Record, path: Path) -> Path:
    label, octaves = _SWEEPS[record.section]
    cases = [case for case in record.cases if record.section in case.parameters]
    values = [case.parameters[record.section] for case in cases]
    with _drawing(path, 6.0) as axes:
        for comparison in (SNN, COUNTING):
            if not all(comparison in case.comparisons for case in cases):
                continue
            spreads = _spreads(cases, comparison)
            axes.errorbar(
                values,
                [spread.median for spread in spreads],
                yerr=_whiskers(spreads),
                capsize=3,
                marker="o",
                color=_COLOURS[comparison],
                label=_NAMES[comparison],
            )
        if octaves:
            axes.set_xscale("log", base=2)
        axes.set_xticks(values, map(str, values))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
    return path


def _spreads(cases: Sequence[Case], comparison: Comparison) -> list[Spread]:
    spreads = [case.ratios(comparison) for case in cases]
    return [spread for spread in spreads if spread is not None]


def _whiskers(spreads: Sequence[Spread]) -> list[list[float]]:
    """From each median to its quartiles."""
    return [
        [spread.median - spread.lower_quartile for spread in spreads],
        [spread.upper_quartile - spread.median for spread in spreads],
    ]


@contextmanager
def _drawing(path: Path, width: float) -> Iterator[Axes]:
    """Axes of a figure that is written to `path` on leaving."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.axhline(1, color="#222222", linewidth=1, linestyle="--", label="ANN")
        yield axes
        axes.set_ylabel("time over the original's")
        figure.legend(loc="outside upper center", ncols=3)
        figure.savefig(path, metadata={"Date": None})

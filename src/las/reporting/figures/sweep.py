"""Lines over T, t or H: what the sweeps of the grid look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from las.reporting.figures.style import CYCLE, GREY, drawing


@dataclass(frozen=True)
class Series:
    """One line of a sweep plot.

    Attributes:
        name: shown in the legend.
        x: positions, e.g. values of T.
        y: values.
        stderr: standard errors of y, or None.
        reference: the original model's value, drawn as a dashed level of the same colour.
        cited: True for numbers of the paper (grey, dashed, open markers).
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    stderr: Sequence[float] | None = None
    reference: float | None = None
    cited: bool = False


@contextmanager
def sweep_axes(
    path: Path, series: Sequence[Series], x_label: str, y_label: str, title: str
) -> Iterator[Axes]:
    """Axes to draw `series` on and more; written to `path`, a PNG, on leaving."""
    with drawing(path, 6.4, 4.0) as figure:
        axes = figure.subplots()
        yield axes
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.set_title(title)
        _legend_below(figure, series)


def draw_lines(axes: Axes, series: Sequence[Series]) -> None:
    """Draw every line with its errors and its reference, and a tick at every x."""
    colours = iter(CYCLE * (1 + len(series) // len(CYCLE)))
    for line in series:
        if line.cited:
            axes.plot(
                line.x,
                line.y,
                color=GREY,
                linestyle="--",
                marker="o",
                markerfacecolor="white",
                label=line.name,
            )
            continue
        colour, marker = next(colours)
        axes.errorbar(
            line.x,
            line.y,
            yerr=line.stderr,
            color=colour,
            marker=marker,
            capsize=3,
            elinewidth=1,
            label=line.name,
        )
        if line.reference is not None:
            axes.axhline(line.reference, color=colour, linewidth=1, linestyle=":")
    _integer_ticks(axes, series)


def _integer_ticks(axes: Axes, series: Sequence[Series]) -> None:
    ticks = sorted({x for line in series for x in line.x})
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend_below(figure: Figure, series: Sequence[Series]) -> None:
    width = max(len(line.name) for line in series)
    figure.legend(loc="outside lower center", ncols=max(1, min(len(series), 66 // (width + 6))))

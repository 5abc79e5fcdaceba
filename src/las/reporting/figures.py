"""The figures, drawn from plain arrays; the same arrays give the same bytes.

Every function writes one PNG and returns its path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

# Okabe and Ito's palette: told apart by colour-blind readers.
_BLUE, _RED, _GREEN, _PURPLE, _ORANGE, _SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#aa4499",
    "#e69f00",
    "#56b4e9",
)
_DARK, _GREY = "#222222", "#8a8a8a"
_CYCLE = ((_BLUE, "o"), (_RED, "s"), (_GREEN, "^"), (_PURPLE, "D"), (_ORANGE, "v"), (_SKY, "P"))

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
}

Array = np.ndarray[Any, np.dtype[Any]]


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
def _drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` by `height` inches that is written to `path` on leaving."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), dpi=160, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without a metadata entry that names the version, and no date, bytes do not change.
        figure.savefig(path, format="png", metadata={"Software": None})


def outliers(path: Path, maximum: Array, title: str) -> Path:
    """Figure 1 (a): the largest magnitude of every channel, layer by layer.

    Args:
        path: where to write the PNG.
        maximum: largest |x| seen in calibration, (layers, channels).
        title: heading.
    """
    layers = np.arange(maximum.shape[0])
    floor = maximum[maximum > 0].min() if (maximum > 0).any() else 1.0
    shown = np.maximum(maximum, floor)
    top = shown.argmax(axis=1)
    spread = np.linspace(-0.32, 0.32, maximum.shape[1])
    with _drawing(path, 8.0, 4.2) as figure:
        axes = figure.subplots()
        axes.scatter(
            (layers[:, None] + spread[None, :]).ravel(),
            shown.ravel(),
            s=5,
            color=_SKY,
            alpha=0.55,
            linewidths=0,
            label="one channel",
        )
        axes.plot(layers, np.median(shown, axis=1), color=_DARK, label="median channel")
        peaks = shown[layers, top]
        axes.plot(
            layers + spread[top], peaks, "o", color=_RED, markersize=5, label="largest channel"
        )
        worst = int(peaks.argmax())
        ratio = peaks[worst] / np.median(shown[worst])
        axes.annotate(
            f"channel {top[worst]}: {peaks[worst]:,.0f}, {ratio:,.0f} times the median",
            (worst + spread[top[worst]], peaks[worst]),
            xytext=(0, 9),
            textcoords="offset points",
            ha="left" if worst < len(layers) / 2 else "right",
            fontsize=9,
            color=_RED,
        )
        axes.set_yscale("log")
        axes.set_ylim(shown.min() / 1.5, peaks[worst] * 4)
        axes.set_xlabel("layer")
        axes.set_ylabel("largest |x| of the channel")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=3)
    return path


def information(
    path: Path, values: Array, one_threshold: Array, two_thresholds: Array, title: str
) -> Path:
    """Figure 1 (b): what is left of a value when one threshold has to serve the outliers too.

    Args:
        path: where to write the PNG.
        values: activations, (n,), in any order.
        one_threshold: their codes by one MT neuron that covers the largest value, (n,).
        two_thresholds: their codes by the OAT neuron, (n,).
        title: heading.
    """
    order = np.argsort(values)
    x, mt, oat = values[order], one_threshold[order], two_thresholds[order]
    body = float(np.quantile(np.abs(x), 0.9)) or float(np.abs(x).max()) or 1.0
    inside = np.abs(x) <= body
    with _drawing(path, 8.0, 3.9) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(x[inside], x[inside], color=_GREY, linewidth=1, label="the value itself")
        left.step(
            x[inside], mt[inside], where="mid", color=_RED, linewidth=1.3, label="one threshold"
        )
        left.step(
            x[inside],
            oat[inside],
            where="mid",
            color=_BLUE,
            linewidth=1.3,
            label="two thresholds (OAT)",
        )
        left.set_xlabel("value (the 90 % nearest to zero)")
        left.set_ylabel("value carried by the spikes")
        left.legend(loc="upper left")

        size = np.abs(x)
        seen = size > 0
        for code, colour, label in (
            (mt, _RED, "one threshold"),
            (oat, _BLUE, "two thresholds (OAT)"),
        ):
            error = np.abs(code - x)[seen]
            edges = np.geomspace(size[seen].min(), size[seen].max(), 33)
            place = np.digitize(size[seen], edges[1:-1])
            filled = [k for k in range(32) if (place == k).any()]
            middle = np.sqrt(edges[:-1] * edges[1:])[filled]
            mean = np.array([error[place == k].mean() for k in filled])
            relative = np.maximum(mean / middle, 1e-9)
            right.plot(middle, relative, color=colour, label=label)
        right.axhline(1, color=_GREY, linewidth=1, linestyle=":")
        right.annotate(
            "nothing left",
            (size[seen].max(), 1),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=_GREY,
        )
        right.set_xscale("log")
        right.set_yscale("log")
        right.set_xlabel("|value|")
        right.set_ylabel("mean error / |value|")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return path


def function_fit(path: Path, x: Array, target: Array, output: Array, title: str) -> Path:
    """Figures 3 and 4: a function, the output of its HG neuron, and the error between them.

    Args:
        path: where to write the PNG.
        x: inputs in rising order, (n,).
        target: f(x), (n,).
        output: the HG neuron's output, (n,).
        title: heading.
    """
    with _drawing(path, 6.4, 4.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        upper.plot(x, target, color=_GREY, linewidth=5, alpha=0.55, label="function")
        upper.plot(x, output, color=_BLUE, linewidth=1.3, label="HG neuron")
        upper.set_ylabel("output")
        upper.set_title(title)
        upper.legend(loc="upper left")
        error = output - target
        worst = int(np.abs(error).argmax())
        lower.plot(x, error, color=_RED, linewidth=0.8)
        lower.axhline(0, color=_DARK, linewidth=0.8)
        lower.set_ylabel("error")
        lower.set_xlabel(f"x      (largest |error| {abs(error[worst]):.2e} at x = {x[worst]:.3g})")
        lower.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    return path


def steps_sweep(path: Path, series: Sequence[Series], label: str, title: str) -> Path:
    """Score against the number of time steps T; the original's score as a dashed level."""
    with _drawing(path, 6.4, 4.0) as figure:
        axes = figure.subplots()
        _draw(axes, series)
        _integer_ticks(axes, series)
        axes.set_xlabel("time steps T")
        axes.set_ylabel(label)
        axes.set_title(title)
        _legend_below(figure, series)
    return path


def levels_sweep(path: Path, series: Sequence[Series], title: str) -> Path:
    """Energy ratio of Eq. 25 against the number of levels H; 1 is the original's energy."""
    with _drawing(path, 6.4, 4.0) as figure:
        axes = figure.subplots()
        axes.axhline(1, color=_DARK, linewidth=1, linestyle=":")
        _draw(axes, series)
        _integer_ticks(axes, series)
        axes.set_ylim(bottom=0)
        axes.annotate(
            "energy of the ANN",
            (1, 1),
            xycoords=("axes fraction", "data"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
        axes.set_xlabel("levels H")
        axes.set_ylabel("E_snn / E_ann (Eq. 25)")
        axes.set_title(title)
        _legend_below(figure, series)
    return path


def losslessness(path: Path, series: Sequence[Series], title: str) -> Path:
    """Mean KL divergence of the SNN's next-token distribution from the ANN's against T."""
    with _drawing(path, 6.4, 4.0) as figure:
        axes = figure.subplots()
        _draw(axes, series)
        _integer_ticks(axes, series)
        axes.set_yscale("log")
        axes.set_xlabel("time steps T")
        axes.set_ylabel("mean KL(ANN || SNN) per token, nats")
        axes.set_title(title)
        _legend_below(figure, series)
    return path


def anytime(path: Path, series: Sequence[Series], title: str) -> Path:
    """Mean KL divergence of the SNN's next-token distribution from the ANN's after t of T steps."""
    with _drawing(path, 6.4, 4.0) as figure:
        axes = figure.subplots()
        _draw(axes, series)
        _integer_ticks(axes, series)
        axes.set_yscale("log")
        axes.set_xlabel("time steps t that every neuron has fired in")
        axes.set_ylabel("mean KL(ANN || SNN) per token, nats")
        axes.set_title(title)
        _legend_below(figure, series)
    return path


def _draw(axes: Axes, series: Sequence[Series]) -> None:
    colours = iter(_CYCLE * (1 + len(series) // len(_CYCLE)))
    for line in series:
        if line.cited:
            axes.plot(
                line.x,
                line.y,
                color=_GREY,
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


def _integer_ticks(axes: Axes, series: Sequence[Series]) -> None:
    ticks = sorted({x for line in series for x in line.x})
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend_below(figure: Figure, series: Sequence[Series]) -> None:
    width = max(len(line.name) for line in series)
    figure.legend(loc="outside lower center", ncols=max(1, min(len(series), 66 // (width + 6))))

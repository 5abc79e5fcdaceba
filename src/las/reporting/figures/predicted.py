"""The loss that was predicted of a budget beside the loss that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from las.reporting.figures.style import CYCLE, DARK, GREY, figure_of


def draw(path: Path, points: Mapping[str, Sequence[tuple[float, float]]], title: str) -> Path:
    """Draw both on logarithmic axes; between the dotted lines they are within a factor of two.

    Arguments:
        path: the PNG to write.
        points: by series, pairs of losses (predicted, measured).
        title: of the figure.
    """
    losses = [loss for series in points.values() for pair in series for loss in pair]
    ends = (min(losses) / 2, max(losses) * 2)
    with figure_of(5.6, 4.8) as figure:
        axes = figure.subplots()
        axes.plot(ends, ends, color=DARK, linewidth=1)
        for factor in (0.5, 2.0):
            axes.plot(ends, [factor * end for end in ends], color=GREY, linewidth=1, linestyle=":")
        for (name, series), (colour, marker) in zip(points.items(), CYCLE, strict=False):
            predicted, measured = zip(*series, strict=True)
            axes.plot(predicted, measured, marker, color=colour, linestyle="none", label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(ends)
        axes.set_ylim(ends)
        axes.set_xlabel("predicted loss")
        axes.set_ylabel("measured loss")
        axes.set_title(title)
        axes.legend(loc="upper left")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", metadata={"Software": None})
    return path

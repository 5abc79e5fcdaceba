"""The loss that was predicted of a budget beside the loss that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from las.reporting.figures.style import DARK, GREY, figure_of, marks

Pairs = Mapping[str, Sequence[tuple[float, float]]]


def draw(path: Path, points: Pairs, elsewhere: Pairs, title: str) -> Path:
    """Draw both on logarithmic axes; between the dotted lines they are within a factor of two.

    Arguments:
        path: the PNG to write.
        points: by series, pairs of losses (predicted, measured).
        elsewhere: the same with the loss on other data, for series that have one: hollow marks.
        title: of the figure.
    """
    drawn = [*points.values(), *elsewhere.values()]
    losses = [loss for series in drawn for pair in series for loss in pair]
    ends = (min(losses) / 2, max(losses) * 2)
    with figure_of(5.6, 6.4) as figure:
        axes = figure.subplots()
        axes.plot(ends, ends, color=DARK, linewidth=1)
        for factor in (0.5, 2.0):
            axes.plot(ends, [factor * end for end in ends], color=GREY, linewidth=1, linestyle=":")
        for name, (colour, marker) in zip(points, marks(), strict=False):
            predicted, measured = zip(*points[name], strict=True)
            axes.plot(predicted, measured, marker, color=colour, label=name)
            if name in elsewhere:
                predicted, measured = zip(*elsewhere[name], strict=True)
                axes.plot(predicted, measured, marker, color=colour, markerfacecolor="none")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(ends)
        axes.set_ylim(ends)
        axes.set_xlabel("predicted loss")
        axes.set_ylabel("measured loss (hollow: on other data)")
        axes.set_title(title)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", metadata={"Software": None})
    return path

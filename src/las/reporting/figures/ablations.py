"""Figure 5 for the models at hand: scores without a part of the method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from las.reporting.ablated import compared, label, labels
from las.reporting.figures.picture import Picture
from las.reporting.figures.style import BLUE, DARK, SKY, drawing
from las.reporting.names import ann_number, metric_title, snn_number, task_title
from las.reporting.results import CellResult, Results

Bar = tuple[str, float]

_WIDE = 0.15
"""Share of the longest bar from which on a bar has room for its number."""


def draw(path: Path, bars: Sequence[Bar], ann: float, axis: str, title: str) -> Path:
    """A bar for every cell, the whole method first; the original's score is dotted."""
    with drawing(path, 6.4, 1.4 + 0.3 * len(bars)) as figure:
        axes = figure.subplots()
        names, values = zip(*bars, strict=True)
        colours = [BLUE, *[SKY] * (len(bars) - 1)]
        drawn = axes.barh(names, values, color=colours)
        wide = [value > _WIDE * max(values) for value in values]
        inside = [f"{v:.2f}" if fits else "" for v, fits in zip(values, wide, strict=True)]
        beside = ["" if fits else f"{v:.2f}" for v, fits in zip(values, wide, strict=True)]
        axes.bar_label(drawn, inside, label_type="center")
        axes.bar_label(drawn, beside, padding=3)
        axes.axvline(ann, color=DARK, linewidth=1, linestyle=":")
        axes.invert_yaxis()
        axes.set_xlabel(axis)
        figure.suptitle(title)
    return path


def ablations_pictures(results: Results, directory: Path) -> list[Picture]:
    """A figure of the first score of every model, evaluation and T that has ablations.

    Where the whole method was not evaluated there is none.
    """
    return [
        _picture(group, directory)
        for group in compared(results)
        if group[0].scores and label(group[0]) == "LAS"
    ]


def _picture(group: Sequence[CellResult], directory: Path) -> Picture:
    whole = group[0]
    first = whole.scores[0]
    bars = [
        (name, snn_number(score).value)
        for cell, name in zip(group, labels(group), strict=True)
        if (score := cell.score(first.task, first.metric)) is not None
    ]
    title = f"{whole.title}: ablations at T = {whole.time_steps}"
    slug = f"{whole.model}_{whole.evaluation}_t{whole.time_steps}h{whole.levels}_{whole.vision}"
    axis = f"{task_title(first.task)}, {metric_title(first.metric)}"
    path = directory / f"ablations_{slug}.png"
    draw(path, bars, ann_number(first).value, axis, title)
    return Picture(path, title, "Without a part of the method, as in Figure 5. Dotted: the ANN.")

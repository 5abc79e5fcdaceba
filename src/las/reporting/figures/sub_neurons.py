"""The error of fitted functions against the number of FS sub-neurons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from las.reporting.figures.picture import Picture
from las.reporting.figures.style import drawing, marks
from las.reporting.sub_neurons import TIME_STEPS, SubNeurons

TITLE = f"Error against the number of FS sub-neurons (T = {TIME_STEPS})"


def draw(path: Path, fits: Sequence[SubNeurons]) -> Path:
    """A line for each function, both axes logarithmic."""
    with drawing(path, 6.4, 4.4) as figure:
        axes = figure.subplots()
        for (colour, marker), one in zip(marks(), fits, strict=False):
            name = one.function.replace("_", " ") + (" (relative)" if one.relative else "")
            axes.plot(one.sizes, one.errors, color=colour, marker=marker, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("N sub-neurons")
        axes.set_ylabel("largest error over the range")
        axes.set_title(TITLE)
        figure.legend(loc="outside lower center", ncols=3)
    return path


def sub_neurons_picture(fits: Sequence[SubNeurons], directory: Path) -> Picture:
    """The figure."""
    return Picture(
        draw(directory / "sub_neurons.png", fits),
        TITLE,
        "N = 1: one FS neuron for the whole range of a language model, without gates. Then HG "
        "neurons of as many sub-neurons as an error of 0.1, 0.01, ... 1e-5 needs.",
    )

"""KL divergence of the SNN's next-token distribution from the ANN's after t of T steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from las.reporting.figures.picture import Picture
from las.reporting.figures.sweep import Series, draw_lines, sweep_axes
from las.reporting.results import Results


def draw(path: Path, series: Sequence[Series], title: str) -> Path:
    """Draw KL on a logarithmic axis."""
    y_label = "mean KL(ANN || SNN) per token, nats"
    with sweep_axes(
        path, series, "time steps t that every neuron has fired in", y_label, title
    ) as axes:
        draw_lines(axes, series)
        axes.set_yscale("log")
    return path


def anytime_pictures(results: Results, directory: Path) -> list[Picture]:
    """The figure, or none if there are no data."""
    series = []
    for cell in results.cells:
        points = [(t, score.kl) for t, score in cell.after_steps if score.kl]
        if points:
            name = f"{cell.title}, {cell.setting}"
            series.append(Series(name, [t for t, _ in points], [kl for _, kl in points]))
    if not series:
        return []
    path = draw(directory / "anytime.png", series, "KL after each time step")
    return [
        Picture(
            path,
            "KL after each time step",
            "One conversion, read off after t of its T time steps: every neuron has fired in the "
            "first t of them and keeps the thresholds of all T.",
        )
    ]

"""Correlations of encoders against T; those of the original as dotted levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from las.reporting.figures.picture import Picture
from las.reporting.figures.sweep import Series, draw_lines, sweep_axes
from las.reporting.names import metric_title, task_title
from las.reporting.results import Results


def draw(path: Path, series: Sequence[Series], label: str, title: str) -> Path:
    """Draw scores, whose name is `label`."""
    with sweep_axes(path, series, "time steps T", label, title) as axes:
        draw_lines(axes, series)
    return path


def steps_pictures(results: Results, directory: Path) -> list[Picture]:
    """A figure for every model with correlations at several T."""
    pictures: list[Picture] = []
    for sweep in results.sweep("time_steps"):
        series = []
        for first in sweep[-1].with_metric("spearman"):
            found = [(c.time_steps, c.score(first.task, first.metric)) for c in sweep]
            points = [(t, score) for t, score in found if score is not None]
            series.append(
                Series(
                    task_title(first.task),
                    [t for t, _ in points],
                    [score.spiking for _, score in points],
                    [score.snn_stderr or 0.0 for _, score in points],
                    reference=first.ann,
                )
            )
        if not series:
            continue
        cell = sweep[0]
        title = f"{cell.title}: scores against T (H = {cell.levels}{cell.thresholds})"
        path = directory / f"steps_{cell.model}.png"
        if path in [picture.path for picture in pictures]:
            rest = f"{cell.evaluation}_{cell.vision}_{cell.threshold_rule}"
            path = directory / f"steps_{cell.model}_{rest}.png"
        draw(path, series, f"{metric_title('spearman')} x100", title)
        pictures.append(
            Picture(
                path,
                title,
                "Dotted: the ANN. Bars: one standard error over pairs, the same pairs for every T.",
            )
        )
    return pictures

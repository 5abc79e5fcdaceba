"""KL divergence of the SNN's next-token distribution from the ANN's against T."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from las.reporting.figures.picture import Picture
from las.reporting.figures.sweep import Series, draw_lines, sweep_axes
from las.reporting.names import task_title
from las.reporting.results import Results


def draw(path: Path, series: Sequence[Series], title: str) -> Path:
    """Draw KL on a logarithmic axis."""
    y_label = "mean KL(ANN || SNN) per token, nats"
    with sweep_axes(path, series, "time steps T", y_label, title) as axes:
        draw_lines(axes, series)
        axes.set_yscale("log")
    return path


def losslessness_pictures(results: Results, directory: Path) -> list[Picture]:
    """The figure, or none if there are no data."""
    lines: dict[str, dict[int, float]] = {}
    others: set[str] = set()
    for model in results.models:
        cells = [cell for cell in results.of(model) if cell.budget is None]
        cells.sort(key=lambda cell: not cell.plain)  # of several with one T and H these count
        tasks = {score.task for cell in cells for score in cell.with_metric("perplexity")}
        for cell in cells:
            for score in cell.with_metric("perplexity"):
                text = f", {task_title(score.task)}" if len(tasks) > 1 else ""
                name = f"{cell.title}, H = {cell.levels}{cell.thresholds}{text}"
                if cell.thresholds:
                    others.add(name)
                if score.kl:  # zero has no place on a logarithmic axis
                    lines.setdefault(name, {}).setdefault(cell.time_steps, score.kl)
    series = [
        Series(name, sorted(line), [line[t] for t in sorted(line)])
        for name, line in lines.items()
        if len(line) > 1 or name not in others
    ]
    if not series:
        return []
    path = draw(directory / "losslessness.png", series, "KL against T")
    return [
        Picture(
            path,
            "KL divergence against T",
            "Mean KL divergence of the SNN's next-token distribution from the ANN's, on text held "
            "out from calibration. Logarithmic axis: each step down is a factor of ten. Neurons "
            "with a budget, whose T differs from site to site, are in the figures of loss against "
            "energy.",
        )
    ]

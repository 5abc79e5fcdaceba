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
    points: dict[str, list[tuple[int, float]]] = {}
    for model in results.models:
        cells = results.of(model)
        tasks = {score.task for cell in cells for score in cell.with_metric("perplexity")}
        for cell in cells:
            for score in cell.with_metric("perplexity"):
                # A divergence of exactly zero has no place on a logarithmic axis.
                if cell.budget is None and score.kl is not None and score.kl > 0:
                    # The paper's rule is close enough to the least error to share its line.
                    rule = cell.thresholds if cell.threshold_rule == "released" else ""
                    text = f", {task_title(score.task)}" if len(tasks) > 1 else ""
                    name = f"{cell.title}, H = {cell.levels}{rule}{text}"
                    points.setdefault(name, []).append((cell.time_steps, score.kl))
    if not points:
        return []
    series = [
        Series(name, [t for t, _ in sorted(line)], [kl for _, kl in sorted(line)])
        for name, line in points.items()
    ]
    path = draw(directory / "losslessness.png", series, "KL against T")
    return [
        Picture(
            path,
            "KL divergence against T",
            "Mean KL divergence of the SNN's next-token distribution from the ANN's, on text held "
            "out from calibration. Logarithmic axis: each step down is a factor of ten.",
        )
    ]

"""Energy ratio of Eq. 25 against the number of levels H; 1 is the original's energy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from las.reporting.figures.picture import Picture
from las.reporting.figures.style import DARK
from las.reporting.figures.sweep import Series, draw_lines, sweep_axes
from las.reporting.names import evaluation_title
from las.reporting.paper.cited_rows import cited_levels, cited_table
from las.reporting.results import Results
from las.reporting.tables.scored import energy_ratio


def draw(path: Path, series: Sequence[Series], title: str) -> Path:
    """Draw the ratios, and a level at 1."""
    with sweep_axes(path, series, "levels H", "E_snn / E_ann (Eq. 25)", title) as axes:
        axes.axhline(1, color=DARK, linewidth=1, linestyle=":")
        draw_lines(axes, series)
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
    return path


def levels_pictures(results: Results, directory: Path) -> list[Picture]:
    """The figure, or none if there are no data."""
    series = []
    for sweep in results.sweep("levels"):
        points = [(cell.levels, energy_ratio(cell)) for cell in sweep]
        known = [(levels, ratio) for levels, ratio in points if ratio is not None]
        if known:
            cell = sweep[0]
            what = f"{cell.title}, {evaluation_title(cell.evaluation)}"
            name = f"{what} (T = {cell.time_steps}{cell.thresholds})"
            series.append(Series(name, [h for h, _ in known], [ratio for _, ratio in known]))
    if not series:
        return []
    ratios = [float(value or "nan") for value in cited_table(5).rows[1][3:]]
    series.append(Series("BERT, STS-B (cited)", cited_levels(), ratios, cited=True))
    path = draw(directory / "levels.png", series, "Energy against H")
    return [
        Picture(
            path,
            "Energy against H",
            "Ratio of Eq. 25. Dashed: the paper's Table 5, for another model on other data. The "
            "thresholds of its released code are up to two octaves larger than activations need: "
            "first steps are silent, codes carry fewer bits, and spikes and accuracy are fewer "
            "alike, where ours use all T steps.",
        )
    ]

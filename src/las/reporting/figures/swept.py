"""Sweeps of T and H on all models: loss and energy against both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from las.reporting.figures.picture import Picture
from las.reporting.figures.style import CYCLE, DARK, GREY, drawing
from las.reporting.swept import Sweep, Swept

_LOOKS = (*CYCLE, (DARK, "*"))
_PANELS: tuple[tuple[str, str], ...] = (
    ("time_steps", "time steps T  (H = 5)"),
    ("levels", "levels H  (T = 16)"),
)
TITLE = "Sweeps of T and H"


def draw(path: Path, sweeps: Sequence[Sweep]) -> Path:
    """Loss above, energy below; against T on the left, against H on the right."""
    with drawing(path, 8.0, 6.8) as figure:
        grid = figure.subplots(2, 2, sharey="row", sharex="col")
        for (setting, label), (loss, energy) in zip(_PANELS, grid.T, strict=True):
            _lines(loss, sweeps, setting, lambda cell: cell.loss or None)
            _lines(energy, sweeps, setting, lambda cell: cell.energy)
            energy.axhline(1, color=GREY, linewidth=1, linestyle=":")
            energy.set_xlabel(label)
            energy.xaxis.set_major_locator(MaxNLocator(integer=True))
        grid[0, 0].set_yscale("log")
        grid[0, 0].set_ylabel("loss: mean KL(ANN || SNN), nats")
        grid[1, 0].set_ylabel("E_snn / E_ann (Eq. 25)")
        grid[1, 0].set_ylim(bottom=0)
        figure.suptitle(TITLE)
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2)
    return path


def sweep_pictures(sweeps: Sequence[Sweep], directory: Path) -> list[Picture]:
    """The figure, or none if nothing was swept."""
    if not sweeps:
        return []
    return [
        Picture(
            draw(directory / "sweeps.png", sweeps),
            TITLE,
            "Every model on its own items. Dashed: models that are scored by correlations, of "
            "which the relative error of the last hidden state is shown in place of the "
            "divergence. Dotted: the energy of the ANN.",
        )
    ]


def _lines(
    axes: Axes, sweeps: Sequence[Sweep], setting: str, value: Callable[[Swept], float | None]
) -> None:
    """A line for each model; what is zero is on no logarithmic axis."""
    for number, sweep in enumerate(sweeps):
        colour, marker = _LOOKS[number % len(_LOOKS)]
        points = [(x, y) for x, cell in sweep.over(setting).items() if (y := value(cell))]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.3,
            linestyle="--" if sweep.cells[0].kl is None else "-",
            label=sweep.name,
        )

"""Loss against energy under several accounts: what a spike less costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from las.reporting.accounted import Accounted
from las.reporting.figures.picture import Picture
from las.reporting.figures.style import BLUE, GREY, RED, drawing
from las.reporting.names import task_title

ACCOUNTS = ("paper", "graded_fp32", "neuron_major_fp32", "neuron_major_int8")
"""One of each kind: a panel each."""

PAPER = (16, 5)
"""T and H of the paper."""


@dataclass(frozen=True)
class Point:
    """One cell.

    Attributes:
        label: its T and H, or its budget.
        loss: KL divergence in nats, or points of correlation lost.
        ratios: E_snn / E_ann by account, as far as they are known.
        frugal: whether it has a budget.
        paper: whether T and H are the paper's.
        floor: E_snn / E_ann of Eq. 25 if every input that fires fired once.
    """

    label: str
    loss: float
    ratios: dict[str, float]
    frugal: bool
    paper: bool
    floor: float | None


def draw(
    path: Path, titles: Sequence[tuple[str, str]], points: Sequence[Point], loss: str, title: str
) -> Path:
    """A panel for each account, (slug, title)."""
    with drawing(path, 7.6, 2.2 + 2.6 * ((len(titles) + 1) // 2)) as figure:
        grid = figure.subplots((len(titles) + 1) // 2, 2, squeeze=False, sharey=True)
        for axes, (slug, name) in zip(grid.flat, titles, strict=False):
            panel(axes, slug, name, points)
        for row in grid:
            row[0].set_ylabel(loss)
        for axes in list(grid.flat)[len(titles) :]:
            axes.set_visible(False)
        figure.suptitle(title)
    return path


def panel(axes: Axes, slug: str, name: str, points: Sequence[Point]) -> None:
    """Draw one account: loss against its ratio."""
    known = [point for point in points if slug in point.ratios]
    for frugal, colour, marker in ((False, BLUE, "o"), (True, RED, "s")):
        part = [point for point in known if point.frugal == frugal]
        axes.scatter(
            [point.ratios[slug] for point in part],
            [point.loss for point in part],
            color=colour,
            marker=marker,
            s=[60 if point.paper else 24 for point in part],
        )
    for point in known:
        axes.annotate(
            point.label,
            (point.ratios[slug], point.loss),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=7,
        )
    floors = [point.floor for point in known if point.frugal and point.floor is not None]
    if slug == "paper" and floors:
        axes.axvline(min(floors), color=GREY, linewidth=1, linestyle="--")
    axes.axvline(1, color=GREY, linewidth=1, linestyle=":")
    axes.set_yscale("log")
    axes.margins(x=0.16, y=0.12)
    axes.set_xlim(left=0)  # after the margins: limits that were set, margins leave as they are
    axes.set_title(name, fontsize=9)
    axes.set_xlabel("E_snn / E_ann")


def frontier_pictures(cells: Sequence[Accounted], directory: Path) -> list[Picture]:
    """A figure for each model and suite with cells of several losses."""
    groups: dict[tuple[str, str], list[Accounted]] = {}
    for one in cells:
        groups.setdefault((one.cell.model, one.cell.evaluation), []).append(one)
    pictures = []
    for (model, evaluation), group in groups.items():
        points = [point for one in group if (point := _point(one)) is not None]
        if len(points) < 3:
            continue
        first = group[0]
        titles = [(slug, first.accounts[slug].title) for slug in ACCOUNTS]
        divergence = _divergence(first) is not None
        title = f"{first.cell.title}, {task_title(evaluation)}: loss against energy"
        path = directory / f"frontier_{model}_{evaluation}.png"
        axis = "KL(ANN || SNN), nats" if divergence else "points of Spearman's rho, mean"
        draw(path, titles, points, axis, title)
        pictures.append(
            Picture(
                path,
                title,
                "Each point is a cell of the grid, frugal ones square, the paper's T and H larger; "
                "both operands of attention's products charged. Dotted: the energy of the ANN. "
                "Dashed, under Eq. 25: every input that fires at all fires once, which no code "
                "that is read spike by spike gets below.",
            )
        )
    return pictures


def _point(one: Accounted) -> Point | None:
    cell = one.cell
    loss = _divergence(one)
    if loss is None:
        lost = [abs(score.ann - score.spiking) for score in cell.with_metric("spearman")]
        loss = sum(lost) / len(lost) if lost else None
    if not loss:
        return None
    ratios = {slug: ratio for slug in ACCOUNTS if (ratio := one.accounts[slug].ratio) is not None}
    if cell.threshold_rule != "error":
        return None
    label = f"{cell.budget:g}/{cell.levels}" if cell.budget else f"{cell.time_steps}/{cell.levels}"
    paper = cell.budget is None and (cell.time_steps, cell.levels) == PAPER
    return Point(label, loss, ratios, cell.budget is not None, paper, _floor(one))


def _divergence(one: Accounted) -> float | None:
    found = [score.kl for score in one.cell.with_metric("perplexity") if score.kl]
    return sum(found) / len(found) if found else None


def _floor(one: Accounted) -> float | None:
    energy, spikes = one.cell.energy, one.cell.spikes
    if energy is None or spikes is None or not energy.total.ann_pj:
        return None
    fetches = sum(operation.fetches for operation in spikes.operations.values())
    return fetches * energy.cost_model.ac_pj / energy.total.ann_pj if fetches else None

"""Loss against energy under several accounts: what a spike less costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.axes import Axes

from las.energy import Hardware, accounts
from las.evaluation.score import Score
from las.neurons.tally import SpikeTally
from las.reporting.accounted import Accounted
from las.reporting.figures.labels import Label, place
from las.reporting.figures.picture import Picture
from las.reporting.figures.style import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    drawing,
)
from las.reporting.names import evaluation_title
from las.reporting.results import CellResult, Results

ACCOUNTS = ("paper", "graded_fp32", "neuron_major_fp32", "neuron_major_int8")
"""One of each kind: a panel each."""

PAPER = (16, 5)
"""T and H of the paper."""

_SHOWN = 0.3
"""A model that is stopped early is shown where it loses no more nats than this."""

_MOST_LEVELS = 16
"""H of the frugal cells whose floor is drawn: those with the fewest spikes."""
_STEPS_OF_BUDGETS = 24
"""The most time steps of a site with a budget, unless fewer are asked for."""

_FRUGAL = {16: (RED, "s"), 5: (ORANGE, "v"), 1: (GREEN, "^")}
"""Colour and marker by H."""


@dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
        title: in the legend.
        colour, marker: of its points.
        line: style of the line through them, "" for none.
        size: of the markers.
        hollow: whether they are.
    """

    title: str
    colour: str
    marker: str
    line: str = ""
    size: float = 6.0
    hollow: bool = False


STEPS = Series("H = 5, by T", BLUE, "o", "-")
THE_PAPERS = Series("the paper's T = 16, H = 5", BLUE, "*", size=15)
STOPPED = Series("T = 16, H = 5, stopped after t", BLUE, "o", ":", 5.0, hollow=True)
LEVELS = Series("T = 16, by H", SKY, "P")
RELEASED = Series("thresholds of the paper's code, T = 16, by H", PURPLE, "D")
OTHERS = Series("published conversions", DARK, "x")


@dataclass(frozen=True)
class Point:
    """One cell, or one that is stopped early.

    Attributes:
        series: where it belongs.
        label: what tells it from others of its series; "" for nothing.
        loss: KL divergence in nats, or points of correlation lost.
        ratios: E_snn / E_ann by account, as far as they are known.
        floor: the same if every input that fires fired one plain spike; none but for frugal cells.
    """

    series: Series
    label: str
    loss: float
    ratios: dict[str, float]
    floor: dict[str, float]


def draw(
    path: Path, titles: Sequence[tuple[str, str]], points: Sequence[Point], loss: str, title: str
) -> Path:
    """A panel for each account, (slug, title), one below the other."""
    with drawing(path, 5.6, 1.6 + 3.3 * len(titles)) as figure:
        grid = figure.subplots(len(titles), 1, squeeze=False, sharey=True)[:, 0]
        for axes, (slug, name) in zip(grid, titles, strict=True):
            panel(axes, slug, name, points)
            axes.set_ylabel(loss)
        grid[-1].set_xlabel("E_snn / E_ann")
        handles = {
            handle.get_label(): handle
            for axes in grid
            for handle in axes.get_legend_handles_labels()[0]
        }
        figure.legend(handles=[*handles.values()], loc="outside lower center", ncols=1)
        figure.suptitle(title, fontsize=11)
        figure.draw_without_rendering()  # lays out what labels are placed in
        for axes, (slug, _) in zip(grid, titles, strict=True):
            label(axes, slug, points)
    return path


def panel(axes: Axes, slug: str, name: str, points: Sequence[Point]) -> None:
    """Draw one account: loss against its ratio."""
    known = [point for point in points if slug in point.ratios]
    for series in dict.fromkeys(point.series for point in known):
        part = sorted((p for p in known if p.series == series), key=lambda p: p.ratios[slug])
        axes.plot(
            [point.ratios[slug] for point in part],
            [point.loss for point in part],
            color=series.colour,
            linestyle=series.line or "none",
            linewidth=1.2,
            marker=series.marker,
            markersize=series.size,
            markerfacecolor="white" if series.hollow else series.colour,
            label=series.title,
        )
    floors = sorted((p.floor[slug], p.loss) for p in known if slug in p.floor)
    if floors:
        axes.plot(
            [floor for floor, _ in floors],
            [loss for _, loss in floors],
            color=GREY,
            linestyle="--",
            linewidth=1.2,
            label="floor: one spike for each input that fires",
        )
    axes.axvline(1, color=GREY, linewidth=1, linestyle=":")
    axes.set_yscale("log")
    axes.margins(y=0.1)
    own = [point.ratios[slug] for point in known if not _published(point)]
    axes.set_xlim(0, 1.1 * max([1.0, *own]))
    axes.set_title(name, fontsize=10)


def label(axes: Axes, slug: str, points: Sequence[Point]) -> None:
    """Write the labels of one account for which there is room."""
    known = [point for point in points if slug in point.ratios]
    places = [(point.ratios[slug], point.loss) for point in known]
    named = [point for point in known if point.label]
    labels = [Label(p.label, p.ratios[slug], p.loss, p.series.colour) for p in named]
    place(axes, labels, places)


def frontier_pictures(
    cells: Sequence[Accounted], results: Results, hardware: Hardware, directory: Path
) -> list[Picture]:
    """A figure for each model and suite with cells of several losses.

    Arguments:
        cells: those whose spikes were counted, charged.
        results: all of them, for those that are stopped early and published conversions.
        hardware: what they are charged for.
        directory: where to write.
    """
    groups: dict[tuple[str, str], list[Accounted]] = {}
    for one in cells:
        groups.setdefault((one.cell.model, one.cell.evaluation), []).append(one)
    pictures = []
    for (model, evaluation), group in groups.items():
        points = [point for one in group if (point := _point(one, hardware)) is not None]
        if len(points) < 3:
            continue
        points += [
            replace(point, series=STEPS, label=f"{PAPER[0]}")  # the line goes through it
            for point in points
            if point.series == THE_PAPERS
        ]
        first = group[0]
        divergence = any(_divergence(one.cell.scores) is not None for one in group)
        if divergence:
            points += stopped_points(results, model, hardware)
            points += _others(results, model, evaluation)
        titles = [(slug, first.accounts[slug].title) for slug in ACCOUNTS]
        title = f"{first.cell.title}, {evaluation_title(evaluation)}: loss against energy"
        path = directory / f"frontier_{model}_{evaluation}.png"
        axis = "KL(ANN || SNN), nats" if divergence else "points of Spearman's rho, mean"
        draw(path, titles, points, axis, title)
        pictures.append(Picture(path, title, _caption(points)))
    return pictures


def _caption(points: Sequence[Point]) -> str:
    told = [
        "Each point is a cell of the grid; both operands of attention's products charged. Dotted "
        "line: the energy of the ANN.",
    ]
    if any(point.floor for point in points):
        told.append(
            "Dashed: every input that fires at all fires one plain spike, at the loss of the "
            f"frugal cells with H = {_MOST_LEVELS}. No code in which these inputs fire gets below "
            "that, an entropy code among them; one that leaves others silent might."
        )
    if any(map(_published, points)):
        told.append(
            "Crosses: the systems compared with and their T, where there is room; they have a "
            "section of their own. Those beyond the right edge are left out."
        )
    if any(point.series == STOPPED for point in points):
        told.append(
            "Hollow: one conversion, read off after t of its time steps, on windows of the suite "
            f"anytime; up to a loss of {_SHOWN:g} nats."
        )
    return " ".join(told)


def _point(one: Accounted, hardware: Hardware) -> Point | None:
    cell = one.cell
    loss = _divergence(cell.scores)
    if loss is None:
        lost = [abs(score.ann - score.spiking) for score in cell.with_metric("spearman")]
        loss = sum(lost) / len(lost) if lost else None
    series, label = _series(cell)
    if not loss or series is None:
        return None
    ratios = {slug: ratio for slug in ACCOUNTS if (ratio := one.accounts[slug].ratio) is not None}
    floor = {}
    if cell.budget is not None and cell.levels == _MOST_LEVELS and cell.spikes is not None:
        floor = _ratios(fired_once(cell.spikes), hardware)
    return Point(series, label, loss, ratios, floor)


def _series(cell: CellResult) -> tuple[Series | None, str]:
    """Where a cell belongs, and its label there."""
    if cell.budget is not None:
        colour, marker = _FRUGAL.get(cell.levels, (PURPLE, "D"))
        title = f"frugal, H = {cell.levels}"
        if cell.time_steps < _STEPS_OF_BUDGETS:
            return Series(f"{title}, few steps", colour, marker, "", hollow=True), (
                f"T ≤ {cell.time_steps}"
            )
        return Series(title, colour, marker, "-"), ""
    if cell.threshold_rule == "released" and cell.time_steps == PAPER[0]:
        return RELEASED, f"{cell.levels}"
    if not cell.plain:
        return None, ""
    if (cell.time_steps, cell.levels) == PAPER:
        return THE_PAPERS, ""
    if cell.levels == PAPER[1]:
        return STEPS, f"{cell.time_steps}"
    if cell.time_steps == PAPER[0]:
        return LEVELS, f"{cell.levels}"
    return None, ""


def stopped_points(results: Results, model: str, hardware: Hardware) -> list[Point]:
    """A model that was stopped after t of its time steps, for every t that is worth it."""
    return [
        Point(STOPPED, f"{t}", score.kl, _ratios(cell.stopped[t], hardware), {})
        for cell in results.cells
        if cell.model == model and cell.plain and (cell.time_steps, cell.levels) == PAPER
        for t, score in cell.after_steps
        if t in cell.stopped and score.kl and score.kl <= _SHOWN
    ]


def _others(results: Results, model: str, evaluation: str) -> list[Point]:
    """Published conversions of a model, of which Eq. 25 alone is known."""
    known = [
        (one, loss, ratio)
        for one in results.baselines
        if (one.model, one.evaluation) == (model, evaluation)
        and one.energy is not None
        and (ratio := one.energy.total.ratio) is not None
        and (loss := _divergence(one.scores)) is not None
    ]
    steps = [f"{t}" for t in sorted({one.time_steps for one, _, _ in known})]
    listed = " and ".join(filter(None, (", ".join(steps[:-1]), *steps[-1:])))
    series = replace(OTHERS, title=f"{OTHERS.title}, T = {listed}")
    return [
        Point(series, f"{one.system} {one.time_steps}", loss, {"paper": ratio}, {})
        for one, loss, ratio in known
    ]


def _published(point: Point) -> bool:
    return point.series.marker == OTHERS.marker


def _divergence(scores: Sequence[Score]) -> float | None:
    found = [score.kl for score in scores if score.metric == "perplexity" and score.kl]
    return sum(found) / len(found) if found else None


def _ratios(tally: SpikeTally, hardware: Hardware) -> dict[str, float]:
    charged = accounts(tally, hardware)
    return {slug: ratio for slug in ACCOUNTS if (ratio := charged[slug].ratio) is not None}


def fired_once(tally: SpikeTally) -> SpikeTally:
    """The same counts if every input that fires at all fired one spike of one digit."""
    return SpikeTally(
        {
            name: replace(one, spikes=one.active, digits=one.active)
            for name, one in tally.sites.items()
        },
        {
            name: replace(one, sops=one.fetches, additions=one.fetches)
            for name, one in tally.operations.items()
        },
        tally.tokens,
    )

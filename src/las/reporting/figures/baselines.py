"""Published conversions beside LAS: loss against time steps, and against energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    FormatStrFormatter,
    LogLocator,
    NullLocator,
    ScalarFormatter,
)

from las.reporting.figures.picture import Picture
from las.reporting.figures.style import CYCLE, DARK, GREY, drawing
from las.reporting.names import task_title
from las.reporting.results import FINE_TUNED, BaselineResult, Results
from las.reporting.tables.scored import energy_ratio

Point = tuple[int, float, float | None]
"""T, KL divergence in nats, and E_snn / E_ann if it is known."""

_STYLES = (("-", "full"), ("--", "none"))
"""Of the line and the marker: another one when all colours are taken."""
_FINE_TUNED = (":", "left")
"""The same of what was fine-tuned; its colour is the method's."""


def draw(
    path: Path, own: Sequence[Point], others: Mapping[str, Sequence[Point]], title: str
) -> Path:
    """Two panels of one loss: LAS in black, and the others by name."""
    with drawing(path, 7.6, 4.6) as figure:
        steps, energy = figure.subplots(1, 2, sharey=True)
        axes = steps, energy
        methods = list(dict.fromkeys(name.removesuffix(FINE_TUNED) for name in others))
        for name, points in others.items():
            again, place = divmod(methods.index(name.removesuffix(FINE_TUNED)), len(CYCLE))
            style = _STYLES[again % len(_STYLES)]
            line, fill = _FINE_TUNED if name.endswith(FINE_TUNED) else style
            colour, marker = CYCLE[place]
            _line(axes, name, points, color=colour, marker=marker, linestyle=line, fillstyle=fill)
        if own:
            _line(axes, "LAS", own, color=DARK, marker="*", markersize=8)
        steps.set_yscale("log")
        steps.set_ylabel("mean KL(ANN || SNN), nats")
        steps.set_xscale("log", base=2)
        taken = sorted({t for points in (own, *others.values()) for t, _, _ in points})
        steps.xaxis.set_major_locator(FixedLocator(taken))
        steps.xaxis.set_minor_locator(NullLocator())
        steps.xaxis.set_major_formatter(ScalarFormatter())
        steps.set_xlabel("time steps T")
        energy.set_xscale("log")
        energy.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        energy.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        energy.xaxis.set_minor_locator(NullLocator())
        energy.axvline(1, color=GREY, linewidth=1, linestyle=":")
        energy.set_xlabel("E_snn / E_ann (Eq. 25)")
        figure.suptitle(title)
        figure.legend(*steps.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return path


def _line(axes: tuple[Axes, Axes], name: str, points: Sequence[Point], **look: Any) -> None:
    steps, energy = axes
    steps.plot([t for t, _, _ in points], [kl for _, kl, _ in points], label=name, **look)
    known = [(ratio, kl) for _, kl, ratio in points if ratio]
    energy.plot([ratio for ratio, _ in known], [kl for _, kl in known], **look)


def baselines_pictures(results: Results, directory: Path) -> list[Picture]:
    """A figure for each model and evaluation with a published conversion at several T."""
    pictures = []
    for group in results.beside_baselines():
        own: list[Point] = []
        others: dict[str, list[Point]] = {}
        for cell in group:
            # All scores of a model tell of the same divergence; zero is on no logarithmic axis.
            kl = next((score.kl for score in cell.scores if score.kl), None)
            if kl is not None:
                published = isinstance(cell, BaselineResult)
                line = others.setdefault(cell.system, []) if published else own
                line.append((cell.time_steps, kl, energy_ratio(cell)))
        if max(map(len, others.values()), default=0) < 2:
            continue
        first = next(cell for cell in group if cell.scores)
        title = f"{first.title}, {task_title(first.scores[0].task)}: what conversions lose"
        path = directory / f"baselines_{first.model}_{first.evaluation}.png"
        draw(path, own, others, title)
        pictures.append(
            Picture(
                path,
                title,
                "On the same items, untrained for their neurons unless it is said. Lines go over "
                "T, on the right from the least T to the largest; steps of a warm-up are not in T, "
                "and what they fire is charged. LAS with H = 5. Dotted: the energy of the ANN.",
            )
        )
    return pictures

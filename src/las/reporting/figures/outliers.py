"""Figure 1 (a): the largest magnitude of every channel, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from las.reporting.figures.picture import Picture
from las.reporting.figures.style import DARK, RED, SKY, Array, drawing

_LAYER = re.compile(r"(?<![^.])(\d+)(?![^.])")


@dataclass(frozen=True)
class Outliers:
    """Figure 1 (a): largest |x| seen in calibration, (layers, channels), at one kind of site."""

    model: str
    title: str
    site: str
    maximum: Array


def kind_of_site(name: str) -> str:
    """A site's name with the number of its layer replaced by a star."""
    return _LAYER.sub("*", name)


def most_prominent(model: str, title: str, maxima: Mapping[str, Array]) -> Outliers | None:
    """The kind of site whose largest channel stands out most from its median channel.

    Args:
        model: name of the model's directory.
        title: the model's name as shown.
        maxima: largest |x| of every channel, (channels,), by site.

    Returns:
        one row per layer; None where no kind of site occurs in two layers or more.
    """
    kinds: dict[str, list[Array]] = {}
    for site, maximum in maxima.items():
        kinds.setdefault(kind_of_site(site), []).append(maximum)
    stacked = {
        kind: np.stack(rows)
        for kind, rows in kinds.items()
        if len(rows) > 1 and len({row.shape for row in rows}) == 1
    }
    if not stacked:
        return None
    site, maximum = max(stacked.items(), key=lambda item: prominence(item[1]))
    return Outliers(model, title, site, maximum)


def prominence(maximum: Array) -> float:
    """How often the median channel fits into the largest one, in the layer where most often."""
    median = np.median(np.atleast_2d(maximum), axis=1)
    largest = np.atleast_2d(maximum).max(axis=1)
    return float(np.divide(largest, median, out=np.ones_like(largest), where=median > 0).max())


def draw(path: Path, maximum: Array, title: str) -> Path:
    """Draw a dot for every channel.

    Args:
        path: where to write the PNG.
        maximum: largest |x| seen in calibration, (layers, channels).
        title: heading.
    """
    layers = np.arange(maximum.shape[0])
    floor = maximum[maximum > 0].min() if (maximum > 0).any() else 1.0
    shown = np.maximum(maximum, floor)
    top = shown.argmax(axis=1)
    spread = np.linspace(-0.32, 0.32, maximum.shape[1])
    with drawing(path, 8.0, 4.2) as figure:
        axes = figure.subplots()
        axes.scatter(
            (layers[:, None] + spread[None, :]).ravel(),
            shown.ravel(),
            s=5,
            color=SKY,
            alpha=0.55,
            linewidths=0,
            rasterized=True,  # tens of thousands of them, in the PDF as one picture
            label="one channel",
        )
        axes.plot(layers, np.median(shown, axis=1), color=DARK, label="median channel")
        peaks = shown[layers, top]
        axes.plot(
            layers + spread[top], peaks, "o", color=RED, markersize=5, label="largest channel"
        )
        worst = int(peaks.argmax())
        ratio = peaks[worst] / np.median(shown[worst])
        axes.annotate(
            f"channel {top[worst]}: {peaks[worst]:,.0f}, {ratio:,.0f} times the median",
            (worst + spread[top[worst]], peaks[worst]),
            xytext=(0, 9),
            textcoords="offset points",
            ha="left" if worst < len(layers) / 2 else "right",
            fontsize=9,
            color=RED,
        )
        axes.set_yscale("log")
        axes.set_ylim(shown.min() / 1.5, peaks[worst] * 4)
        axes.set_xlabel("layer")
        axes.set_ylabel("largest |x| of the channel")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=3)
    return path


def outlier_picture(shown: Outliers, directory: Path) -> Picture:
    """The figure of one model."""
    title = f"{shown.title}: outliers, {shown.site}"
    return Picture(
        draw(directory / f"outliers_{shown.model}.png", shown.maximum, title),
        f"Figure 1 (a). {title}",
        "Each dot is one channel's largest magnitude in calibration. A few channels are "
        "orders of magnitude above the median.",
    )

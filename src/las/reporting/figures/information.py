"""Figure 1 (b): what is left of a value when one threshold has to serve the outliers too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from las.neurons import oat
from las.neurons.oat import OAT
from las.reporting.figures.carried import POINTS, carried
from las.reporting.figures.picture import Picture
from las.reporting.figures.style import BLUE, GREY, RED, Array, drawing


@dataclass(frozen=True)
class Information:
    """Figure 1 (b): values of one site and their codes by one threshold and by OAT, each (n,)."""

    model: str
    title: str
    site: str
    time_steps: int
    values: Array
    one_threshold: Array
    two_thresholds: Array


def one_threshold_and_two(
    model: str, title: str, site: str, neuron: OAT, edges: Array, counts: Array
) -> Information:
    """Values spread as the histogram of one site says, coded by one MT neuron and by OAT.

    The single MT neuron has the threshold of OAT's outlier band, since it must cover the outliers.

    Args:
        model: name of the model's directory.
        title: the model's name as shown.
        site: name of the site.
        neuron: the OAT neuron of the site.
        edges: positive bin edges of |x|, rising, (bins + 1,).
        counts: activations in each bin, (bins,).

    Raises:
        ValueError: an empty histogram.
    """
    if counts.sum() == 0:
        raise ValueError(f"The histogram of {site} is empty: collect statistics again.")
    filled = np.flatnonzero(counts)
    edges, counts = edges[filled[0] : filled[-1] + 2], counts[filled[0] : filled[-1] + 1]
    shares = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    # From the smallest thousandth on: what is smaller stands for silence.
    typical = np.interp(np.linspace(0.001, 1, POINTS), shares, np.log(edges))
    # The rare outliers are fewer than one in POINTS: one value for every bin that holds any.
    middle = np.log(edges[:-1] * edges[1:]) / 2
    rare = middle[(counts > 0) & (middle > np.median(typical))]
    size = np.exp(np.sort(np.concatenate([typical, rare])))
    values = size * np.where(np.arange(len(size)) % 2, -1.0, 1.0)
    single = OAT((neuron.taus[-1],), (), neuron.time_steps, neuron.levels, neuron.rounding)
    x = torch.from_numpy(values)
    return Information(
        model,
        title,
        site,
        neuron.time_steps,
        values,
        carried(oat.spike_train(x, single)),
        carried(oat.spike_train(x, neuron)),
    )


def draw(
    path: Path, values: Array, one_threshold: Array, two_thresholds: Array, title: str
) -> Path:
    """Draw codes of small values, and the error of values of every size.

    Args:
        path: where to write the PNG.
        values: activations, (n,), in any order.
        one_threshold: their codes by one MT neuron that covers the largest value, (n,).
        two_thresholds: their codes by the OAT neuron, (n,).
        title: heading.
    """
    order = np.argsort(values)
    x, mt, oat = values[order], one_threshold[order], two_thresholds[order]
    body = float(np.quantile(np.abs(x), 0.9)) or float(np.abs(x).max()) or 1.0
    inside = np.abs(x) <= body
    with drawing(path, 8.0, 3.9) as figure:
        left, right = figure.subplots(1, 2)
        left.plot(x[inside], x[inside], color=GREY, linewidth=1, label="the value itself")
        left.step(
            x[inside], mt[inside], where="mid", color=RED, linewidth=1.3, label="one threshold"
        )
        left.step(
            x[inside],
            oat[inside],
            where="mid",
            color=BLUE,
            linewidth=1.3,
            label="two thresholds (OAT)",
        )
        left.set_xlabel("value (the 90 % nearest to zero)")
        left.set_ylabel("value carried by the spikes")
        left.legend(loc="upper left")

        size = np.abs(x)
        seen = size > 0
        for code, colour, label in (
            (mt, RED, "one threshold"),
            (oat, BLUE, "two thresholds (OAT)"),
        ):
            error = np.abs(code - x)[seen]
            edges = np.geomspace(size[seen].min(), size[seen].max(), 33)
            place = np.digitize(size[seen], edges[1:-1])
            filled = [k for k in range(32) if (place == k).any()]
            middle = np.sqrt(edges[:-1] * edges[1:])[filled]
            mean = np.array([error[place == k].mean() for k in filled])
            relative = np.maximum(mean / middle, 1e-9)
            right.plot(middle, relative, color=colour, label=label)
        right.axhline(1, color=GREY, linewidth=1, linestyle=":")
        right.annotate(
            "nothing left",
            (size[seen].max(), 1),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=GREY,
        )
        right.set_xscale("log")
        right.set_yscale("log")
        right.set_xlabel("|value|")
        right.set_ylabel("mean error / |value|")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return path


def information_picture(shown: Information, directory: Path) -> Picture:
    """The figure of one model."""
    title = f"{shown.title}: what one threshold loses\n{shown.site}, T = {shown.time_steps}"
    path = directory / f"information_{shown.model}.png"
    return Picture(
        draw(path, shown.values, shown.one_threshold, shown.two_thresholds, title),
        f"Figure 1 (b). {title}",
        "One MT neuron has to cover the outliers, so its steps are too coarse for all "
        "other values; the OAT neuron has a threshold for each. Left: the values nearest "
        "to zero and their codes. Right: error relative to the value's size.",
    )

"""The arrays behind Figures 1, 3 and 4, from what calibration and fitting stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from las.calibration import bins
from las.calibration.statistics import Statistics
from las.calibration.thresholds import Thresholds
from las.fitting.fit import Fit
from las.fitting.functions import FUNCTIONS
from las.fitting.model_functions import FittedFunctions
from las.neurons import hg, oat
from las.neurons.hg import HG
from las.neurons.oat import OAT
from las.reporting.figures import Array
from las.reporting.results import CellResult, Results

_LAYER = re.compile(r"(?<![^.])(\d+)(?![^.])")
_POINTS = 4001
DRAWN_FUNCTIONS = ("gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid", "exp")


@dataclass(frozen=True)
class OutlierPicture:
    """Figure 1 (a): largest |x| seen in calibration, (layers, channels), at one kind of site."""

    model: str
    title: str
    site: str
    maximum: Array


@dataclass(frozen=True)
class InformationPicture:
    """Figure 1 (b): values of one site and their codes by one threshold and by OAT, each (n,)."""

    model: str
    title: str
    site: str
    time_steps: int
    values: Array
    one_threshold: Array
    two_thresholds: Array


@dataclass(frozen=True)
class FitPicture:
    """Figures 3 and 4: a function on rising inputs, and the output of its HG neuron, each (n,)."""

    model: str
    title: str
    function: str
    time_steps: int
    sub_neurons: int
    x: Array
    target: Array
    output: Array


@dataclass(frozen=True)
class Illustrations:
    """What the report shows beside its scores.

    Attributes:
        outliers, information, fits: one picture each.
        functions: model title, name of the function, and its fit.
    """

    outliers: tuple[OutlierPicture, ...] = ()
    information: tuple[InformationPicture, ...] = ()
    fits: tuple[FitPicture, ...] = ()
    functions: tuple[tuple[str, str, Fit], ...] = ()


def load_illustrations(spiking_models: Path, results: Results) -> Illustrations:
    """What is stored of each model's cell nearest to the paper's T=16 and H=5.

    A model whose statistics, thresholds or functions are not there has no pictures of them.

    Args:
        spiking_models: with `<model>/statistics.safetensors` and `<model>/neurons/<neuron>/*`.
        results: the cells that were evaluated.

    Raises:
        CalibrationError: a stored file is damaged.
    """
    outliers: list[OutlierPicture] = []
    information: list[InformationPicture] = []
    functions: list[tuple[str, str, Fit]] = []
    fits: list[FitPicture] = []
    for cell in results.one_per_model():
        directory = spiking_models / cell.model
        neuron = directory / "neurons" / cell.neuron
        if (directory / "statistics.safetensors").exists():
            statistics = Statistics.load(directory / "statistics.safetensors")
            outliers += _outliers(cell, statistics)
            if (neuron / "thresholds.json").exists():
                thresholds = Thresholds.load(neuron / "thresholds.json")
                information += _information(cell, statistics, thresholds)
        path = neuron / "functions.safetensors"
        if path.exists():
            fitted = FittedFunctions.load(path).fits
            functions += [(cell.title, name, fitted[name]) for name in sorted(fitted)]
            fits += [
                fit_picture(cell.model, cell.title, fitted[name].neuron)
                for name in DRAWN_FUNCTIONS
                if name in fitted
            ]
    return Illustrations(tuple(outliers), tuple(information), tuple(fits), tuple(functions))


def _outliers(cell: CellResult, statistics: Statistics) -> list[OutlierPicture]:
    picture = outlier_picture(cell.model, cell.title, _peaks(statistics))
    return [] if picture is None else [picture]


def _information(
    cell: CellResult, statistics: Statistics, thresholds: Thresholds
) -> list[InformationPicture]:
    """The site whose outliers stand out most, where it has two bands or more."""
    peaks = {
        name: peak
        for name, peak in _peaks(statistics).items()
        if name in thresholds.sites and thresholds.sites[name][1]
    }
    if not peaks:
        return []
    name = max(peaks, key=lambda site: prominence(peaks[site]))
    taus, gates = thresholds.sites[name]
    neuron = OAT(taus, gates, cell.time_steps, cell.levels, cell.rounding)
    counts = statistics.sites[name].histogram
    return [information_picture(cell.model, cell.title, name, neuron, bins.edges(), counts)]


def _peaks(statistics: Statistics) -> dict[str, Array]:
    return {
        name: site.channel_peak
        for name, site in statistics.sites.items()
        if site.kind == "oat" and site.channel_peak.size
    }


def kind_of_site(name: str) -> str:
    """A site's name with the number of its layer replaced by a star."""
    return _LAYER.sub("*", name)


def outlier_picture(model: str, title: str, maxima: Mapping[str, Array]) -> OutlierPicture | None:
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
    return OutlierPicture(model, title, site, maximum)


def prominence(maximum: Array) -> float:
    """How often the median channel fits into the largest one, in the layer where most often."""
    median = np.median(np.atleast_2d(maximum), axis=1)
    largest = np.atleast_2d(maximum).max(axis=1)
    return float(np.divide(largest, median, out=np.ones_like(largest), where=median > 0).max())


def information_picture(
    model: str, title: str, site: str, neuron: OAT, edges: Array, counts: Array
) -> InformationPicture:
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
    typical = np.interp(np.linspace(0.001, 1, _POINTS), shares, np.log(edges))
    # The rare outliers are fewer than one in _POINTS: one value for every bin that holds any.
    middle = np.log(edges[:-1] * edges[1:]) / 2
    rare = middle[(counts > 0) & (middle > np.median(typical))]
    size = np.exp(np.sort(np.concatenate([typical, rare])))
    values = size * np.where(np.arange(len(size)) % 2, -1.0, 1.0)
    single = OAT((neuron.taus[-1],), (), neuron.time_steps, neuron.levels, neuron.rounding)
    x = torch.from_numpy(values)
    return InformationPicture(
        model,
        title,
        site,
        neuron.time_steps,
        values,
        _carried(oat.spike_train(x, single)),
        _carried(oat.spike_train(x, neuron)),
    )


def fit_picture(model: str, title: str, neuron: HG) -> FitPicture:
    """A fitted function over its calibrated range, but no wider than the paper's figures."""
    low, high = max(neuron.low, -8.0), min(neuron.high, 8.0)
    x = torch.linspace(low, high, _POINTS, dtype=torch.float64)
    target = FUNCTIONS[neuron.function].evaluate(x)
    return FitPicture(
        model,
        title,
        neuron.function,
        neuron.time_steps,
        neuron.size,
        x.numpy(),
        target.numpy(),
        _carried(hg.spike_train(x, neuron)),
    )


def _carried(spikes: Iterable[torch.Tensor]) -> Array:
    """What the weighted spikes of all time steps add up to."""
    value: Array = torch.stack(list(spikes)).sum(0).numpy()
    return value

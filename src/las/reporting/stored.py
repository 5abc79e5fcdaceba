"""What calibration and fitting stored about the models, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from las.calibration import bins
from las.calibration.statistics import Statistics
from las.calibration.thresholds import Thresholds
from las.fitting.model_functions import FittedFunctions
from las.neurons.oat import OAT
from las.reporting.figures.fits import DRAWN_FUNCTIONS, FunctionAndFit, function_and_fit
from las.reporting.figures.information import Information, one_threshold_and_two
from las.reporting.figures.outliers import Outliers, most_prominent, prominence
from las.reporting.figures.style import Array
from las.reporting.results import CellResult, Results
from las.reporting.tables.functions import FittedFunction


@dataclass(frozen=True)
class Stored:
    """What the report shows beside its scores.

    Attributes:
        outliers, information, fits: one picture each.
        functions: model title, name of the function, and its fit.
        weights: fingerprint of the weights, by the model's name.
    """

    outliers: tuple[Outliers, ...] = ()
    information: tuple[Information, ...] = ()
    fits: tuple[FunctionAndFit, ...] = ()
    functions: tuple[FittedFunction, ...] = ()
    weights: Mapping[str, str] = field(default_factory=dict)


def load_stored(spiking_models: Path, results: Results) -> Stored:
    """Load what is stored about each model's cell nearest to the paper's T=16 and H=5.

    Figures and functions whose files are missing are left out.

    Args:
        spiking_models: with `<model>/statistics.safetensors` and `<model>/neurons/<neuron>/*`.
        results: the cells that were evaluated.

    Raises:
        CalibrationError: a stored file is damaged.
    """
    outliers: list[Outliers] = []
    information: list[Information] = []
    functions: list[FittedFunction] = []
    fits: list[FunctionAndFit] = []
    weights: dict[str, str] = {}
    for cell in results.one_per_model():
        directory = spiking_models / cell.model
        neuron = directory / "neurons" / cell.neuron
        if (directory / "statistics.safetensors").exists():
            statistics = Statistics.load(directory / "statistics.safetensors")
            weights[cell.model] = statistics.base
            outliers += _outliers(cell, statistics)
            if (neuron / "thresholds.json").exists():
                thresholds = Thresholds.load(neuron / "thresholds.json")
                information += _information(cell, statistics, thresholds)
        path = neuron / "functions.safetensors"
        if path.exists():
            fitted = FittedFunctions.load(path).fits
            functions += [FittedFunction(cell.title, name, fitted[name]) for name in sorted(fitted)]
            fits += [
                function_and_fit(cell.model, cell.title, fitted[name].neuron)
                for name in DRAWN_FUNCTIONS
                if name in fitted
            ]
    return Stored(tuple(outliers), tuple(information), tuple(fits), tuple(functions), weights)


def _outliers(cell: CellResult, statistics: Statistics) -> list[Outliers]:
    picture = most_prominent(cell.model, cell.title, _peaks(statistics))
    return [] if picture is None else [picture]


def _information(
    cell: CellResult, statistics: Statistics, thresholds: Thresholds
) -> list[Information]:
    """The site whose outliers stand out most, where it has two bands or more."""
    peaks = {
        name: peak
        for name, peak in _peaks(statistics).items()
        if name in thresholds.sites
        and thresholds.sites[name].gates
        and not thresholds.sites[name].shifts  # statistics know no units of channels
    }
    if not peaks:
        return []
    name = max(peaks, key=lambda site: prominence(peaks[site]))
    site = thresholds.sites[name]
    neuron = OAT(
        site.taus, site.gates, site.time_steps or cell.time_steps, cell.levels, cell.rounding
    )
    counts = statistics.sites[name].histogram
    return [one_threshold_and_two(cell.model, cell.title, name, neuron, bins.edges(), counts)]


def _peaks(statistics: Statistics) -> dict[str, Array]:
    return {
        name: site.channel_peak
        for name, site in statistics.sites.items()
        if site.kind == "oat" and site.channel_peak.size
    }

"""The HG neurons of a whole model: one for each function it uses, over the ranges measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from las.config import SpikeConfig
from las.errors import CalibrationError
from las.files import array_file
from las.fitting.fit import Fit, fit
from las.fitting.flat import fit_flat
from las.fitting.functions import FUNCTIONS, Budget
from las.neurons.hg import HG, Array
from las.neurons.store import pack, unpack

if TYPE_CHECKING:
    from las.calibration.statistics import Statistics

FORMAT = "las-functions-2"
FORMER = "las-functions-1"

_FARTHEST_SCORE = -(2.0**16)  # below the largest one, as positions may put it in a long text
_SQUARE_FLOOR = 1e-5  # an error of a square that does not matter to the mean, relative to it


@dataclass(frozen=True)
class FittedFunctions:
    """Fits by function name."""

    fits: Mapping[str, Fit]

    @property
    def neurons(self) -> dict[str, HG]:
        """The HG neurons by function name."""
        return {name: one.neuron for name, one in self.fits.items()}

    def summary(self) -> list[dict[str, Any]]:
        """A row for each function: range, N, T, errors, spikes, and whether the budget is met."""
        return [
            {
                "function": name,
                "N": one.neuron.size,
                "time_steps": one.neuron.time_steps,
                "range_low": one.neuron.low,
                "range_high": one.neuron.high,
                "budget_absolute": one.budget.absolute,
                "budget_relative": one.budget.relative,
                "met": one.met,
                "max_error": one.max_error,
                "max_relative_error": one.max_relative_error,
                "mean_error": one.mean_error,
                "mean_spikes": one.mean_spikes,
            }
            for name, one in sorted(self.fits.items())
        ]

    def save(self, path: Path) -> None:
        """Write to a safetensors file whose metadata is JSON."""
        arrays: dict[str, Array] = {}
        header: dict[str, Any] = {}
        for name, one in self.fits.items():
            data, parts = pack(one.neuron)
            arrays |= {f"{name}|{part}": array for part, array in parts.items()}
            measured = {k: v for k, v in vars(one).items() if k not in ("neuron", "budget")}
            header[name] = {"neuron": data, "budget": asdict(one.budget), "measured": measured}
        array_file.write(path, FORMAT, header, arrays)

    @classmethod
    def load(cls, path: Path) -> FittedFunctions:
        """Read a file written by `save`.

        Raises:
            CalibrationError: the file is missing, truncated, changed or of another kind.
        """
        try:
            header, arrays = array_file.read(path, FORMAT, FORMER)
        except array_file.DamagedFileError as error:
            raise CalibrationError(
                f"cannot read fitted functions from {path} ({error}): fit again"
            ) from error
        fits = {}
        for name, one in header.items():
            parts = {part: arrays[f"{name}|{part}"] for part in ("offset", "slope")}
            neuron = unpack(one["neuron"], parts)
            fits[name] = Fit(neuron, Budget(**one["budget"]), **one["measured"])
        return cls(fits)


def check_budgets(budgets: Mapping[str, tuple[float, float]]) -> None:
    """Raise ValueError if there is a budget for an unknown function."""
    if unknown := set(budgets) - set(FUNCTIONS):
        raise ValueError(
            f"budgets for unknown functions {sorted(unknown)}; known: {sorted(FUNCTIONS)}"
        )


def fit_functions(statistics: Statistics, config: SpikeConfig) -> FittedFunctions:
    """Fit every function that the statistics name, over all ranges at which it is used.

    The sums of softmax reach from 1, of a single key, to the number of keys that a query may see
    at the model's longest context, however short the calibration texts were.

    Arguments:
        statistics: what calibration saw.
        config: T, budgets that differ from the defaults, and whether there is a hierarchy.

    Raises:
        ValueError: a budget for an unknown function.
    """
    check_budgets(config.budgets)
    ranges: dict[str, tuple[float, float]] = {}
    for site in statistics.sites.values():
        if site.kind in FUNCTIONS and site.count:
            low, high = ranges.get(site.kind, (site.low, site.high))
            ranges[site.kind] = (min(low, site.low), max(high, site.high))
    if "reciprocal" in ranges and statistics.farthest:  # one key, and as many as there may be
        low, high = ranges["reciprocal"]
        ranges["reciprocal"] = min(low, 1.0), max(high, float(statistics.farthest))
    neuron_of = fit_flat if config.functions == "flat" else fit
    return FittedFunctions(
        {
            name: neuron_of(
                FUNCTIONS[name],
                *_widened(name, *ranges[name]),
                config.function_steps,
                _budget(name, config, ranges),
            )
            for name in tqdm(sorted(ranges), desc="fitting", unit="function")
        }
    )


def _widened(name: str, low: float, high: float) -> tuple[float, float]:
    """A range that is never empty and touches zero where the function's inputs may."""
    inputs = FUNCTIONS[name].inputs
    if inputs == "negative":
        return min(low, _FARTHEST_SCORE), 0.0
    if inputs == "positive":
        return low * 0.99, max(high, low) * 1.01
    return min(low, -1.0), max(high, 1.0)


def _budget(name: str, config: SpikeConfig, ranges: Mapping[str, tuple[float, float]]) -> Budget:
    if name in config.budgets:
        return Budget(*config.budgets[name])
    budget = FUNCTIONS[name].budget
    if name == "square" and "inverse_sqrt" in ranges:
        smallest_mean = ranges["inverse_sqrt"][0]
        return Budget(_SQUARE_FLOOR * smallest_mean, budget.relative)
    return budget

"""Everything that a conversion adds to a model: thresholds and FS parameters, no weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from las.calibration.statistics import Statistics
from las.calibration.thresholds import SiteThresholds, Thresholds
from las.components.attention import SpikingAttention
from las.components.expert_list import SpikingExpertList
from las.components.operations import SpikingOperations
from las.components.product import SpikingProduct
from las.components.site import HGSite, OATSite
from las.config import SpikeConfig
from las.conversion.prepare import share_sites
from las.conversion.report import ConversionReport, Spent
from las.errors import AdapterError
from las.fitting.model_functions import FittedFunctions
from las.neurons.hg import HG, Array
from las.neurons.store import pack, unpack


@dataclass(frozen=True)
class SpikingState:
    """What turns a prepared model into a spiking one.

    Attributes:
        config: the options of the conversion.
        base: fingerprint of the base model.
        model_type: its type, e.g. "llama".
        thresholds: base thresholds and gates of each OAT site.
        shared: sites that are served by another one.
        functions: HG neurons by function.
        report: how the spiking model compared with the original; None where nobody compared.
        spent: what became of its budget; None where there is none.
    """

    config: SpikeConfig
    base: str
    model_type: str
    thresholds: Thresholds
    shared: dict[str, str]
    functions: dict[str, HG]
    report: ConversionReport | None = None
    spent: Spent | None = None

    def pack(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Split into plain data for JSON and float64 arrays."""
        names = sorted(self.thresholds.sites)
        sites = [self.thresholds.sites[n] for n in names]
        arrays = {
            "taus": _as_long([site.taus for site in sites]),
            "gates": _as_long([site.gates for site in sites]),
        }
        config = asdict(self.config)
        if config["functions"] == "hierarchical":  # as all were before there was a choice
            del config["functions"]
        functions = {}
        for name, neuron in self.functions.items():
            functions[name], parts = pack(neuron)
            arrays |= {f"{name}|{part}": array for part, array in parts.items()}
        data = {
            "config": config,
            "base": self.base,
            "model_type": self.model_type,
            "sites": names,
            "time_steps": {n: t for n in names if (t := self.thresholds.sites[n].time_steps)},
            "shared": self.shared,
            "functions": functions,
            "report": None if self.report is None else self.report.to_dict(),
            "spent": None if self.spent is None else self.spent.to_dict(),
        }
        if shifts := {n: one for n in names if (one := self.thresholds.sites[n].shifts)}:
            data["shifts"] = shifts
        return data, arrays

    @classmethod
    def unpack(cls, data: Mapping[str, Any], arrays: Mapping[str, Array]) -> SpikingState:
        """Inverse of `pack`."""
        taus = [_finite(row) for row in arrays["taus"]]
        gates = [_finite(row) for row in arrays["gates"]]
        return cls(
            SpikeConfig(**data["config"]),
            data["base"],
            data["model_type"],
            Thresholds(
                {
                    name: SiteThresholds(
                        t,
                        g,
                        data.get("time_steps", {}).get(name),
                        tuple(data.get("shifts", {}).get(name, ())),
                    )
                    for name, t, g in zip(data["sites"], taus, gates, strict=True)
                }
            ),
            dict(data["shared"]),
            {
                name: unpack(one, {p: arrays[f"{name}|{p}"] for p in ("offset", "slope")})
                for name, one in data["functions"].items()
            },
            None if data.get("report") is None else ConversionReport.from_dict(data["report"]),
            None if data.get("spent") is None else Spent(**data["spent"]),
        )

    def renamed(self, rename: Callable[[str], str]) -> SpikingState:
        """The state with other names of its sites, for a model that nobody compared yet."""
        sites = {rename(name): one for name, one in self.thresholds.sites.items()}
        shared = {rename(name): rename(owner) for name, owner in self.shared.items()}
        return replace(self, thresholds=Thresholds(sites), shared=shared, report=None)


def _as_long(rows: list[tuple[float, ...]]) -> Array:
    """Rows of as many columns as the longest one has: bands that a site lacks begin at infinity."""
    longest = max(map(len, rows), default=0)
    return np.array([row + (np.inf,) * (longest - len(row)) for row in rows], dtype=np.float64)


def _finite(row: Array) -> tuple[float, ...]:
    """Inverse of `_as_long`."""
    return tuple(row[np.isfinite(row)].tolist())


def assemble(
    statistics: Statistics,
    thresholds: Thresholds,
    functions: FittedFunctions,
    config: SpikeConfig,
) -> SpikingState:
    """Put the results of calibration and fitting together."""
    return SpikingState(
        config,
        statistics.base,
        statistics.model_type,
        thresholds,
        dict(statistics.shared),
        functions.neurons,
    )


def apply(model: nn.Module, state: SpikingState) -> nn.Module:
    """Give the neurons of a prepared model their parameters.

    Parameters of parts that are not there are left over: of another head, or of a vision tower that
    stays analog, for statistics of the whole model serve both ways of converting it.

    Raises:
        AdapterError: the state lacks a site or function of the model.
    """
    config = state.config
    for module in list(model.modules()):
        if isinstance(module, SpikingOperations):
            module.grow(state.thresholds.sites)
    there = {module.name for module in model.modules() if isinstance(module, OATSite)}
    here = {name: owner for name, owner in state.shared.items() if name in there}
    shared = {name: owner for name, owner in here.items() if owner in there}
    sites = dict(state.thresholds.sites)
    for name, owner in here.items():
        if owner not in there and owner in sites:  # the reader that served it too is not there
            sites[name] = sites[owner]
    thresholds, alike = _of_unvisited(model, sites, shared, config)
    share_sites(model, shared | alike)
    missing = []
    for module in model.modules():
        if isinstance(module, OATSite):
            if module.name not in thresholds:
                missing.append(module.name)
                continue
            module.neuron = thresholds[module.name].neuron(config)
        elif isinstance(module, HGSite):
            if module.function not in state.functions:
                missing.append(f"{module.name} ({module.function})")
                continue
            module.neuron = state.functions[module.function]
        elif isinstance(module, SpikingAttention):
            module.naive = config.attention == "naive"
        elif isinstance(module, SpikingOperations):
            for part in module.children():
                if isinstance(part, SpikingProduct):
                    part.naive = config.attention == "naive"
    if missing:
        raise AdapterError(
            f"no parameters for {len(missing)} neuron sites, the first {missing[0]}: did the "
            "calibration batches run through the whole model?"
        )
    return model


_OfSites = dict[str, SiteThresholds]


def _of_unvisited(
    model: nn.Module, sites: _OfSites, shared: Mapping[str, str], config: SpikeConfig
) -> tuple[_OfSites, dict[str, str]]:
    """Experts that calibration never visited take the thresholds of the other experts.

    Arguments:
        model: a prepared model.
        sites: thresholds and gates that calibration chose.
        shared: sites that are served by another one.
        config: the options of the conversion.

    Returns:
        Thresholds and gates of all sites, the largest ones of the other experts where there were
        none, and what the neurons of such experts share.
    """
    lent, alike = dict(sites), dict[str, str]()
    unvisited, experts = 0, 0
    for mixture in model.modules():
        if not isinstance(mixture, SpikingExpertList):
            continue
        visited: list[str] = []
        others: list[str] = []
        for path in mixture.paths:
            known = any(name.startswith(path) for name in sites)
            (visited if known else others).append(path)
        experts += len(visited) + len(others)
        unvisited += len(others)
        for path in others if visited else ():
            for name in _names_of(visited, sites):
                like = [sites[one + name] for one in visited if one + name in sites]
                largest = (one.of_any_channel(config) for one in like)
                lent[path + name] = max(largest, key=lambda one: one.taus[-1])
            for name in _names_of(visited, shared):
                like_it = next(one for one in visited if one + name in shared)
                owner = shared[like_it + name]
                if owner.startswith(like_it):
                    alike[path + name] = path + owner.removeprefix(like_it)
    if unvisited:
        warnings.warn(
            f"calibration never visited {unvisited} of {experts} experts: their neurons get the "
            "largest thresholds of the other experts of their layer. More calibration data, or "
            "data of more kinds, would visit them",
            stacklevel=2,
        )
    return lent, alike


def _names_of(experts: list[str], names: Iterable[str]) -> set[str]:
    """The sites of some experts, without the path of the expert."""
    return {name.removeprefix(path) for name in names for path in experts if name.startswith(path)}

"""Recording who fires when, while the step simulator runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from las.calibration.batches import check_batch, running_on
from las.components.running import running
from las.components.site import HGSite, OATSite, Site
from las.conversion.simulate import simulate
from las.energy.counting import count_spikes
from las.neurons import hg, oat
from las.neurons.mt import wide
from las.spikes.events import SiteEvents, SpikeEvents
from las.spikes.sites import chosen_sites


def spike_events(
    model: nn.Module, batch: Mapping[str, Any], sites: str | Iterable[str]
) -> SpikeEvents:
    """Run the step simulator on one batch and record the spikes of some neuron sites.

    Neurons of padding that a mask tells are left out, and so are those that an attention mask
    hides. Inside of `las.stop_after` neurons fire in its time steps only.

    Arguments:
        model: a converted model.
        batch: forward keyword arguments.
        sites: one or several names: of a site, as `las.spiking_sites` lists them; of a layer or
            any other module, whose sites are meant; or a pattern such as "model.layers.*.mlp.*".

    Raises:
        LasError: the model has no spiking neurons.
        CalibrationError: the batch has a wrong form, or the model does not run on it.
        ValueError: there is no such site, or the batch reached none of it.
    """
    chosen = chosen_sites(model, sites)
    check_batch(model, batch, "the batch")
    recording = _Recording({site: name for name, site in chosen.items()})
    with ExitStack() as blocks:
        blocks.enter_context(torch.no_grad())
        blocks.enter_context(simulate(model))
        blocks.enter_context(count_spikes(model))  # which says what is padding
        for one in running(model):
            blocks.enter_context(one.run.recorded(recording))
        with running_on(model, "the batch"):
            model(**batch)
    found = {name: recording.calls[name] for name in chosen if name in recording.calls}
    if not found:
        raise ValueError(f"the batch reached none of {', '.join(chosen)}")
    return SpikeEvents({name: _joined(name, chosen[name], calls) for name, calls in found.items()})


@dataclass
class _Call:
    """The spikes of one call: for each time step index into the flat input, level, and band."""

    shape: tuple[int, ...]
    index: list[Tensor] = field(default_factory=list)
    level: list[Tensor] = field(default_factory=list)
    band: list[Tensor] = field(default_factory=list)


class _Recording:
    """Records the chosen sites in the thread that made it."""

    def __init__(self, names: Mapping[Site, str]) -> None:
        self._names = names
        self._thread = threading.get_ident()
        self.calls: dict[str, list[_Call]] = {}

    def told(
        self, site: Site, x: Tensor, train: Iterator[Tensor], silent: Tensor | None
    ) -> Iterator[Tensor]:
        """See `Recorder`."""
        if site not in self._names or threading.get_ident() != self._thread:
            return train
        call = _Call(tuple(x.shape))
        self.calls.setdefault(self._names[site], []).append(call)
        return self._recorded(site, x.detach(), train, silent, call)

    def _recorded(
        self, site: Site, x: Tensor, train: Iterator[Tensor], silent: Tensor | None, call: _Call
    ) -> Iterator[Tensor]:
        band = band_of(site, x).flatten()
        table = torch.from_numpy(weights(site)).to(x.device)
        hidden = site.no_activations(x, silent)
        for t, weighted in enumerate(train):
            fired = weighted if hidden is None else weighted.masked_fill(hidden, 0)
            index = fired.flatten().nonzero()[:, 0]
            if isinstance(site, OATSite):
                fired = site.calibrated().unshifted(wide(fired))
            worth = table[band[index], t]
            call.index.append(index.cpu())
            call.level.append((fired.flatten()[index].double() / worth).round().cpu())
            call.band.append(band[index].cpu())
            yield weighted


def band_of(site: Site, x: Tensor) -> Tensor:
    """Which band of an OAT neuron, or which sub-neuron of an HG neuron, codes each input."""
    if isinstance(site, OATSite):
        return oat.band_of(wide(x), site.calibrated())
    assert isinstance(site, HGSite)
    return hg.gate(wide(x), site.fitted())[0]


def weights(site: Site) -> NDArray[np.float64]:
    """What a level is worth, (bands, T): theta(t) / H of each band, or d(t) of each sub-neuron."""
    if isinstance(site, HGSite):
        table: NDArray[np.float64] = site.fitted().sub_neurons.d.numpy()
        return table
    assert isinstance(site, OATSite)
    neuron = site.calibrated()
    halved = 2.0 ** -np.arange(1, neuron.time_steps + 1)
    return np.array(neuron.taus)[:, None] * halved / neuron.levels


def shifts_of(site: Site) -> tuple[int, ...]:
    """The octaves by which thresholds of each channel are above the others; empty for none."""
    return site.calibrated().shifts if isinstance(site, OATSite) else ()


def _joined(name: str, site: Site, calls: list[_Call]) -> SiteEvents:
    """The calls of one site as one: their positions follow one another."""
    parts: dict[str, list[Tensor]] = {part: [] for part in ("t", "p", "c", "level", "band")}
    first = 0
    for call in calls:
        width = max(1, call.shape[-1])
        for t, (index, level, band) in enumerate(
            zip(call.index, call.level, call.band, strict=True), start=1
        ):
            parts["t"].append(torch.full_like(index, t))
            parts["p"].append(first + index // width)
            parts["c"].append(index % width)
            parts["level"].append(level)
            parts["band"].append(band)
        first += torch.Size(call.shape[:-1]).numel()
    joined = {part: torch.cat(tensors).numpy() for part, tensors in parts.items()}
    coded = site.calibrated() if isinstance(site, OATSite) else None
    return SiteEvents(
        site=name,
        kind=site.kind,
        time_steps=site.time_steps,
        levels_of_neurons=1 if coded is None else coded.levels,
        taus=() if coded is None else coded.taus,
        shapes=tuple(call.shape for call in calls),
        positions_in_all=first,
        channels_in_all=max(call.shape[-1] for call in calls),
        times=joined["t"].astype(np.uint8),
        positions=joined["p"].astype(np.int32),
        channels=joined["c"].astype(np.int32),
        levels=joined["level"].astype(np.int8),
        bands=joined["band"].astype(np.int32),
        weights=weights(site),
        shifts=shifts_of(site),
    )

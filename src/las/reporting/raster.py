"""The spikes of one layer as a picture, with a single call."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from las.errors import MissingExtraError
from las.options import shown
from las.spikes.events import Integers, Numbers, SiteEvents
from las.spikes.record import spike_events
from las.spikes.sites import chosen_sites

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POSITIONS, CHANNELS = 8, 64
"""So many positions and channels the raster shows if none are chosen, the first ones."""


@dataclass(frozen=True, eq=False)
class Raster:
    """The spikes of one site, and their picture, which a notebook shows.

    Attributes:
        events: the spikes of all neurons of the site.
        positions: those in the raster.
        channels: those in the raster.
        figure: the raster and the map of firing rates, a figure of matplotlib.
    """

    events: SiteEvents
    positions: tuple[int, ...]
    channels: tuple[int, ...]
    figure: Figure

    @property
    def rates(self) -> Numbers:
        """Share of time steps in which each neuron fires, (positions, channels), of all neurons."""
        return self.events.rates()

    @property
    def levels(self) -> Integers:
        """Signed level of each neuron in the raster at each time step, 0 for silence.

        Shape (positions, channels, T), int8.
        """
        events = self.events
        size = (events.positions_in_all, events.channels_in_all, events.time_steps)
        whole = np.zeros(size, dtype=np.int8)
        whole[events.positions, events.channels, events.times.astype(int) - 1] = events.levels
        return whole[list(self.positions)][:, list(self.channels)]

    def save(self, path: str | Path) -> Path:
        """Write the picture; the ending of the path says in which format."""
        self.figure.savefig(path)
        return Path(path)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png")
        return buffer.getvalue()


def raster(
    model: nn.Module,
    batch: Mapping[str, Any],
    site: str,
    *,
    positions: Iterable[int] | None = None,
    channels: Iterable[int] | None = None,
) -> Raster:
    """Run the step simulator on one batch, and draw the spikes of one site.

    Above is the raster: time runs to the right, position after position; blue spikes are positive,
    red ones negative, and the area of a dot grows with its level. Below is the firing rate of every
    neuron. The last dimension of the site's input is the channel; all others count positions, such
    as the tokens of a batch of one row.

    Arguments:
        model: a converted model.
        batch: forward keyword arguments.
        site: a site, as `las.spiking_sites` lists them, or a layer that has only one.
        positions: those in the raster; by default the first 8.
        channels: those in the raster; by default the first 64.

    Raises:
        LasError: the model has no spiking neurons.
        CalibrationError: the batch has a wrong form, or the model does not run on it.
        MissingExtraError: matplotlib is not installed.
        ValueError: there is no such site or more than one, or no such position or channel.
    """
    try:
        from las.reporting.figures.spikes import draw
    except ImportError as error:
        raise MissingExtraError(
            "matplotlib draws the raster: pip install matplotlib; las.spike_events needs none"
        ) from error
    found = chosen_sites(model, site)
    if len(found) > 1:
        raise ValueError(f"{shown(site)} has several sites, name one of them: {', '.join(found)}")
    (events,) = spike_events(model, batch, site).values()
    rows = _chosen("positions", positions, events.positions_in_all, POSITIONS)
    columns = _chosen("channels", channels, events.channels_in_all, CHANNELS)
    return Raster(events, rows, columns, draw(events, rows, columns))


def _chosen(name: str, given: Iterable[int] | None, in_all: int, usual: int) -> tuple[int, ...]:
    """Indices that a user gives, those from the end as Python counts them, or the first ones."""
    if given is None:
        return tuple(range(min(in_all, usual)))
    try:
        indices = tuple(int(index) for index in given)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be several whole numbers, got {shown(given)}") from None
    wrong = [index for index in indices if not -in_all <= index < in_all]
    if wrong or not indices:
        what = f"there is no {wrong[0]}" if wrong else "none are given"
        raise ValueError(f"{name}: {what}; this site has 0 to {in_all - 1}")
    return tuple(dict.fromkeys(index % in_all for index in indices))

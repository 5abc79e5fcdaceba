"""A raster of spikes, and a map of firing rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from las.reporting.figures.style import BLUE, DARK, GREY, RED, figure_of
from las.spikes.events import SiteEvents

RATES = LinearSegmentedColormap.from_list("rates", ["#ffffff", BLUE, DARK])
_LARGEST_DOT = 26.0
"""Area of the dot of a spike of the highest level, in points squared."""
_NAMED = 24
"""Up to so many positions each have a label."""


def draw(events: SiteEvents, positions: Sequence[int], channels: Sequence[int]) -> Figure:
    """Draw both of one site.

    Above, the spikes of the chosen neurons, position after position, each over its T time steps:
    blue is positive, red negative, and the area of a dot grows with the level. Below, the firing
    rate of every neuron.

    Arguments:
        events: the spikes.
        positions: those whose spikes are drawn, side by side.
        channels: those whose spikes are drawn, one above the other.
    """
    with figure_of(8.0, 7.0) as figure:
        above, below = figure.subplots(2, 1, height_ratios=(3, 2))
        _raster(above, events, positions, channels)
        _map(figure, below, events)
        figure.suptitle(f"{events.site} ({events.kind}, T = {events.time_steps})", fontsize=11)
    return figure


def scatter_spikes(
    axes: Any, events: SiteEvents, positions: Sequence[int], channels: Sequence[int]
) -> None:
    """Draw a dot for each spike of the chosen neurons, position after position, each over T steps.

    Arguments:
        axes: where.
        events: the spikes.
        positions: those whose spikes are drawn, side by side.
        channels: those whose spikes are drawn, one above the other.
    """
    steps = events.time_steps
    column = _places(positions, events.positions_in_all)[events.positions]
    row = _places(channels, events.channels_in_all)[events.channels]
    shown = (column >= 0) & (row >= 0)
    x = column[shown] * steps + events.times[shown]
    level, positive = np.abs(events.levels[shown].astype(int)), events.values[shown] > 0
    top = max(1, 2 * events.levels_of_neurons - 1)
    for sign, colour, name in ((True, BLUE, "positive"), (False, RED, "negative")):
        mine = positive == sign
        axes.scatter(
            x[mine],
            row[shown][mine],
            s=_LARGEST_DOT * level[mine] / top,
            color=colour,
            linewidths=0,
            label=name,
        )
    for edge in range(len(positions) + 1):
        axes.axvline(edge * steps + 0.5, color=GREY, linewidth=0.6)
    axes.set_xlim(0.5, len(positions) * steps + 0.5)
    axes.set_ylim(-0.5, len(channels) - 0.5)
    axes.grid(False)
    places = np.unique(np.linspace(0, len(channels) - 1, min(len(channels), 9)).astype(int))
    axes.set_yticks(places, [channels[place] for place in places])
    axes.set_ylabel("channel")


def name_positions(axes: Any, steps: int, names: Sequence[object]) -> None:
    """Write the names of the positions below what `scatter_spikes` drew."""
    middles = [(place + 0.5) * steps + 0.5 for place in range(len(names))]
    axes.set_xticks(middles, names, parse_math=False)


def _raster(
    axes: Any, events: SiteEvents, positions: Sequence[int], channels: Sequence[int]
) -> None:
    scatter_spikes(axes, events, positions, channels)
    if len(positions) <= _NAMED:
        name_positions(axes, events.time_steps, positions)
    axes.set_xlabel(f"position, each over time steps 1 to {events.time_steps}")
    axes.set_title("Spikes")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def _map(figure: Figure, axes: Any, events: SiteEvents) -> None:
    rates = events.rates().T
    picture = axes.imshow(
        rates, aspect="auto", origin="lower", cmap=RATES, vmin=0, interpolation="nearest"
    )
    axes.grid(False)
    axes.set_xlabel("position")
    axes.set_ylabel("channel")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Firing rates of all neurons")
    figure.colorbar(picture, ax=axes, label="spikes per time step", pad=0.01)


def _places(chosen: Sequence[int], in_all: int) -> Any:
    """Where each position or channel is drawn; -1 for those that are not."""
    places = np.full(in_all, -1)
    places[list(chosen)] = np.arange(len(chosen))
    return places

"""The spikes of one block on a few tokens, and how many neurons fire at each time step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from las.reporting.figures.picture import Picture
from las.reporting.figures.spikes import RATES, name_positions, scatter_spikes
from las.reporting.figures.style import DARK, Array, drawing
from las.reporting.names import block_title
from las.reporting.recorded import Recorded
from las.reporting.results import Made
from las.spikes.events import SiteEvents

TOKENS, CHANNELS, SITES = 4, 32, 6
"""So many tokens and channels the raster shows of each site, and so many sites, the first ones."""


def draw_raster(path: Path, sites: Sequence[SiteEvents], tokens: Sequence[str], title: str) -> Path:
    """Draw the spikes of some sites, one above the other, token after token.

    Args:
        path: where to write the PNG.
        sites: their first positions are those of the tokens.
        tokens: those that are drawn, as text.
        title: heading.
    """
    with drawing(path, 7.2, 1.3 + 1.4 * len(sites)) as figure:
        for axes, events in zip(np.atleast_1d(figure.subplots(len(sites))), sites, strict=True):
            channels = range(min(CHANNELS, events.channels_in_all))
            scatter_spikes(axes, events, range(len(tokens)), channels)
            axes.set_xticks([])
            axes.set_title(_site_title(events), fontsize=9, fontweight="normal")
        name_positions(axes, events.time_steps, [_visible(token) for token in tokens])
        axes.set_xlabel("token, each over its time steps")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return path


def draw_rates(path: Path, rates: Array, names: Sequence[str], title: str) -> Path:
    """Draw a map with a row for each site and a column for each time step.

    Args:
        path: where to write the PNG.
        rates: share of the neurons that fire, (sites, T); NaN where a site has fewer steps.
        names: of the sites.
        title: heading.
    """
    with drawing(path, 8.0, 1.3 + 0.3 * len(rates)) as figure:
        axes: Any = figure.subplots()
        top = float(np.nanmax(rates)) or 1.0
        image = axes.imshow(
            rates, aspect="auto", cmap=RATES, vmin=0, vmax=top, interpolation="nearest"
        )
        for (row, column), rate in np.ndenumerate(rates):
            if not np.isnan(rate):
                colour = "white" if rate > top / 3 else DARK
                axes.annotate(
                    f"{100 * rate:.0f}", (column, row), color=colour, fontsize=7,
                    ha="center", va="center",
                )  # fmt: skip
        steps = rates.shape[1]
        axes.set_xticks(range(steps), range(1, steps + 1), fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.grid(False)
        axes.set_xlabel("time step")
        figure.colorbar(image, ax=axes, label="share that fires", pad=0.01)
        figure.suptitle(title, fontsize=11, fontweight="bold")
    return path


def recorded_pictures(recorded: Sequence[Recorded], made: Made, directory: Path) -> list[Picture]:
    """A raster and a map of firing rates of each file of spike events."""
    pictures = []
    for one in recorded:
        block, sites = _drawn(one)
        if sites:
            pictures.append(_raster(one, block, sites, made, directory))
        pictures.append(_rates(one, made, directory))
    return pictures


def _drawn(one: Recorded) -> tuple[str, list[SiteEvents]]:
    """The first block that was recorded, and those of its sites whose rows are tokens."""
    number = len(one.passage.tokens)
    found = [s for s in one.sites if len(s.shapes) == 1 and s.shapes[0][-2:-1] == (number,)]
    blocks = [block_title(events.site) for events in found]
    inside = [block for block in blocks if block.startswith("block ")]
    first = (inside or blocks or [""])[0]
    return first, [s for s, block in zip(found, blocks, strict=True) if block == first][:SITES]


def _raster(
    one: Recorded, block: str, sites: Sequence[SiteEvents], made: Made, directory: Path
) -> Picture:
    tokens = one.passage.tokens[:TOKENS]
    title = f"{one.passage.model}: spikes of {block}"
    path = draw_raster(directory / f"raster_{one.name}.png", sites, tokens, title)
    heads = any(site.positions_in_all > len(one.passage.tokens) for site in sites)
    return Picture(
        path,
        title,
        "Each row is a neuron. Blue spikes are positive, red ones negative, and a dot grows with "
        f"the level. The first {len(tokens)} of {len(one.passage.tokens)} tokens, and of each site "
        f"the first {CHANNELS} channels at most{', of the first head' if heads else ''}. "
        f"{_origin(one, made)}",
    )


def _rates(one: Recorded, made: Made, directory: Path) -> Picture:
    title = f"{one.passage.model}: firing rates, step by step"
    rates = np.full((len(one.sites), max(s.time_steps for s in one.sites)), np.nan)
    for row, events in zip(rates, one.sites, strict=True):
        row[: events.time_steps] = events.rates_of_steps()
    names = [events.site for events in one.sites]
    neurons = sum(events.positions_in_all * events.channels_in_all for events in one.sites)
    spikes = sum(len(events.times) for events in one.sites)
    return Picture(
        draw_rates(directory / f"rates_{one.name}.png", rates, names, title),
        title,
        f"Which share of a site's neurons fires at each time step, in per cent: {spikes:,} spikes "
        f"of {neurons:,} neurons on all {len(one.passage.tokens)} tokens. {_origin(one, made)}",
    )


def _origin(one: Recorded, made: Made) -> str:
    """Of what the spikes are, in a few words."""
    steps = _listed(events.time_steps for events in one.sites)
    levels = _listed(events.levels_of_neurons for events in one.sites if events.kind == "oat")
    told = f"Text: {one.passage.text}. Step simulator, T = {steps}"
    told += f", H = {levels}" if levels else ""
    if made.revision is not None:
        told += f"; revision {made.revision}" + (f" of {made.date}" if made.date else "")
    return f"{told}."


def _listed(numbers: Any) -> str:
    return ", ".join(map(str, sorted(set(numbers))))


def _site_title(events: SiteEvents) -> str:
    return f"{events.site} ({events.kind}, T = {events.time_steps})"


def _visible(token: str) -> str:
    """A token as a label of one line."""
    return token.strip(" ").replace("\n", "↵") or "␣"

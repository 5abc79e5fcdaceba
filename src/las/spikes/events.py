"""Spike events of neuron sites, and the file that keeps them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from las.errors import LasError
from las.files.atomic import atomic_file

FORMAT = "las-spikes-1"
_ARRAYS = ("times", "positions", "channels", "levels", "bands", "weights")

_DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    BadZipFile,
    zlib.error,
)
"""What reading a file raises that is damaged, or something else."""

Integers = NDArray[np.integer[Any]]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SiteEvents:
    """The spikes of one site in one pass, by time, position and channel.

    A neuron is told by its position and its channel. The channel counts along the last dimension
    of the site's input, the position along all others, in order: where a layer reads (B, L, C),
    position b L + l is token l of row b; queries are (B, heads, L, D) and probabilities
    (B, heads, L, S). Where a site is simulated block by block, blocks follow one another.

    The value of a spike is `levels` times `weights[bands, times - 1]`. The weight of an OAT neuron
    is theta(t) / H = tau 2^-t / H of its band, and the level +-(H + k), k = 0 .. H - 1; that of an
    HG neuron is d(t) of the sub-neuron that is responsible, and the level is 1. Where channels have
    thresholds of their own, the weight is 2^`shifts[channels]` times as much.

    Attributes:
        site: its name.
        kind: "oat" or "hg:<function>".
        time_steps: T.
        levels_of_neurons: H; 1 of HG neurons.
        taus: base threshold of each band; none of HG neurons.
        shapes: of the site's input, one for each time that it was simulated.
        positions_in_all: how many positions there are.
        channels_in_all: how many channels.
        times: time step of each spike, 1 to T, (events,), ascending within a block.
        positions: position, (events,).
        channels: channel, (events,).
        levels: signed level, (events,).
        bands: band of an OAT neuron, sub-neuron of an HG neuron, (events,).
        weights: what a level is worth, (bands, T), float64.
        shifts: octaves by which thresholds of each channel are above the others, (channels,);
            empty where all are alike.
    """

    site: str
    kind: str
    time_steps: int
    levels_of_neurons: int
    taus: tuple[float, ...]
    shapes: tuple[tuple[int, ...], ...]
    positions_in_all: int
    channels_in_all: int
    times: Integers
    positions: Integers
    channels: Integers
    levels: Integers
    bands: Integers
    weights: Numbers
    shifts: tuple[int, ...] = ()

    @property
    def values(self) -> Numbers:
        """The value of each spike, theta(t) X_s(t) or d(t) s(t), (events,)."""
        weights: Numbers = self.weights[self.bands, self.times.astype(np.int64) - 1]
        if self.shifts:
            weights = weights * 2.0 ** np.array(self.shifts)[self.channels]
        return self.levels * weights

    def coded(self) -> Numbers:
        """What the spikes of each neuron add up to, (positions, channels)."""
        return self._sum(self.values)

    def counts(self) -> NDArray[np.int64]:
        """How often each neuron fires, (positions, channels)."""
        return self._sum(np.ones(len(self.times))).astype(np.int64)

    def rates(self) -> Numbers:
        """Share of the T time steps in which each neuron fires, (positions, channels)."""
        return self.counts() / self.time_steps

    def rates_of_steps(self) -> Numbers:
        """Share of the neurons that fire in each time step, (T,)."""
        neurons = self.positions_in_all * self.channels_in_all
        fired = np.bincount(self.times, minlength=self.time_steps + 1)[1:]
        return fired / max(1, neurons)

    def _sum(self, of_each: Numbers) -> Numbers:
        sums = np.zeros((self.positions_in_all, self.channels_in_all))
        np.add.at(sums, (self.positions, self.channels), of_each)
        return sums


@dataclass(frozen=True)
class Passage:
    """What was read while spikes were recorded.

    Attributes:
        model: the model's name as shown.
        text: where the passage is from.
        tokens: each of its tokens as text; position l of a site that reads (L, C) is token l.
    """

    model: str
    text: str
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class SpikeEvents(Mapping[str, SiteEvents]):
    """The spikes of several sites by name.

    Attributes:
        sites: the events of each.
        passage: the text that was read, where one is known.
    """

    sites: Mapping[str, SiteEvents]
    passage: Passage | None = None

    def __getitem__(self, site: str) -> SiteEvents:
        return self.sites[site]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)

    def save(self, path: str | Path) -> Path:
        """Write an npz file: "<site>/<array>" for each array of `SiteEvents`, and "header".

        The header is a text in JSON that holds the rest. `np.load` reads it, with no pickle in it.

        Returns:
            The file written.
        """
        arrays: dict[str, Any] = {}
        header: dict[str, Any] = {"format": FORMAT, "sites": {}}
        if self.passage is not None:
            header["passage"] = asdict(self.passage)
        for name, events in self.sites.items():
            plain = {key: value for key, value in vars(events).items() if key not in _ARRAYS}
            if not events.shifts:  # as all were before channels had thresholds of their own
                del plain["shifts"]
            header["sites"][name] = plain
            arrays |= {f"{name}/{part}": getattr(events, part) for part in _ARRAYS}
        with atomic_file(Path(path)) as partial, partial.open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> SpikeEvents:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            LasError: it is damaged, or none of these files.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                if header["format"] != FORMAT:
                    raise ValueError(f"its format is {header['format']!r}")
                sites = {
                    name: SiteEvents(
                        **_with_tuples(plain), **{part: file[f"{name}/{part}"] for part in _ARRAYS}
                    )
                    for name, plain in header["sites"].items()
                }
                for events in sites.values():
                    _check(events)
                read = header.get("passage")
                return cls(sites, None if read is None else Passage(**_with_tuples(read)))
        except FileNotFoundError:
            raise
        except _DAMAGE as error:
            raise LasError(f"{path} is no file of spike events: {error}") from error


def _with_tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Lists, as JSON has them, as tuples."""
    return {key: _tuple(value) for key, value in plain.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _check(events: SiteEvents) -> None:
    """Raise a ValueError where a spike is of no time step or no neuron."""
    parts = {
        "times": (1, events.time_steps),
        "positions": (0, events.positions_in_all - 1),
        "channels": (0, events.channels_in_all - 1),
        "bands": (0, len(events.weights) - 1),
    }
    for name, (first, last) in parts.items():
        found = getattr(events, name)
        if found.shape != events.levels.shape:
            raise ValueError(f"{name} and levels of {events.site} differ in number")
        if found.size and not first <= found.min() <= found.max() <= last:
            raise ValueError(f"{name} of {events.site} are not all within {first} to {last}")
    if events.weights.shape[1:] != (events.time_steps,):
        raise ValueError(f"weights of {events.site} are not those of {events.time_steps} steps")
    if events.shifts and len(events.shifts) != events.channels_in_all:
        raise ValueError(f"shifts of {events.site} are not those of its channels")

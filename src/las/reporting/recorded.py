"""Recorded spikes of a passage of text, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from las.errors import LasError
from las.spikes.events import Passage, SiteEvents, SpikeEvents


@dataclass(frozen=True)
class Recorded:
    """One file of spike events.

    Attributes:
        name: of the file, without its ending.
        passage: what was read.
        sites: the events of each, in the order of the model.
    """

    name: str
    passage: Passage
    sites: tuple[SiteEvents, ...]


def load_recorded(folder: Path) -> tuple[Recorded, ...]:
    """Read all files of spike events in a folder, in the order of their names.

    Arguments:
        folder: with `*.npz`, as `las.spikes.passage_events` and `SpikeEvents.save` give them; it
            may be missing.

    Raises:
        LasError: a file is damaged, or no such file, or says nothing of what was read.
    """
    return tuple(map(_load, sorted(folder.glob("*.npz"))))


def _load(path: Path) -> Recorded:
    again = "Delete it, or run the spikes stage again."
    try:
        events = SpikeEvents.load(path)
    except LasError as error:
        raise LasError(f"{error}. {again}") from error
    if events.passage is None or not events:
        raise LasError(f"{path} does not say which text was read, or has no sites. {again}")
    return Recorded(path.stem, events.passage, tuple(events.values()))

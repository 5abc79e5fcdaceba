"""One process at a time at what several cells of a sweep share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from las.files.lock import held


@contextmanager
def alone(root: Path, *names: str) -> Iterator[None]:
    """Wait until no other process below `root` is at what `names` say, and keep others from it.

    The system gives back what a killed process held. On a file system without locks nobody waits:
    then two processes may make the same files, which appear whole all the same.
    """
    place = root / "data" / "locks" / "-".join(names)
    place.mkdir(parents=True, exist_ok=True)
    with held(place):
        yield

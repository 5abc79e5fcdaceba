"""The same file in a second place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def link_or_copy(source: Path, destination: Path) -> None:
    """Make `destination` the same file as `source`, or a copy where links cannot reach."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()
    try:
        os.link(real, destination)
    except OSError:
        shutil.copyfile(real, destination)

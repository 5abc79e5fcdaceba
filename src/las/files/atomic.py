"""Files and directories that appear only when they are complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; it takes the place of `target` if all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as scratch:
        partial = Path(scratch) / target.name
        yield partial
        os.replace(partial, target)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory that takes the place of `target` only if the block succeeds.

    An interruption leaves `target` as it was, so a directory that exists is complete.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        partial = Path(scratch) / target.name
        partial.mkdir()
        yield partial
        if target.exists():
            shutil.rmtree(target)
        os.replace(partial, target)

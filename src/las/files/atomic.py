"""Files and directories that appear only when they are complete.

They are written in a scratch directory beside their place, and moved there at once. A process that
is killed leaves its scratch directory behind; the next one that writes there removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from las.files.exchange import exchange
from las.files.lock import held

PREFIX = ".partial-"
"""How the names of scratch directories begin."""


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; it takes the place of `target` if all went well."""
    with scratch_directory(target.parent) as scratch:
        partial = scratch / target.name
        yield partial
        os.replace(partial, target)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory that takes the place of `target` only if the block succeeds.

    An interruption leaves `target` as it was, so a directory that exists is complete.
    """
    with scratch_directory(target.parent) as scratch:
        partial = scratch / target.name
        partial.mkdir()
        yield partial
        if target.exists():
            exchange(partial, target)
        else:
            os.replace(partial, target)


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Yield a new directory in `parent`, which is made if needed; it is removed in the end.

    Those that killed processes left in `parent` are removed at the beginning.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{PREFIX}*"):
        with held(left, wait=False) as mine:
            if mine:
                shutil.rmtree(left, ignore_errors=True)
    while True:
        with (
            tempfile.TemporaryDirectory(
                dir=parent, prefix=PREFIX, ignore_cleanup_errors=True
            ) as name,
            held(Path(name)) as mine,
        ):
            if mine:  # nobody took it for one that was left behind
                yield Path(name)
                return

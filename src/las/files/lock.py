"""Directories that a process holds for itself as long as it lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nobody removes what others may be using
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(directory: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a directory, and say whether it is held.

    It is not where it is gone, or where another process holds it and `wait` is false. The system
    gives back what a killed process held.
    """
    if fcntl is None:
        yield wait
        return
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):  # removed, or of another user
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = directory.exists()
        except OSError:  # another process has it, or the file system knows no locks
            mine = wait
        yield mine
    finally:
        os.close(descriptor)

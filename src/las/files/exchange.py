"""Two directories that change places."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_HERE = -100
_EXCHANGE = 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux's renameat2."""


def exchange(one: Path, other: Path) -> None:
    """Give each of two directories on one file system the name of the other.

    On Linux this is a single step for most file systems. Elsewhere it is three, and a process that
    is killed in between leaves `other` missing, but never in half.
    """
    if _exchange_at_once(one, other):
        return
    aside = one.with_name(f"{one.name}.old")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def _exchange_at_once(one: Path, other: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # glibc has it since 2.28
    if rename is None:
        return False
    result: int = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    return result == 0

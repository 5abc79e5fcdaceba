"""The revision of the sources, and its date: what results and runs are marked with."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache

from pipeline.paths import ROOT

_SOURCES = ("src", "pipeline", "conf", "params.yaml")
"""What results follow from; the rest of a working tree may differ from its commit."""


@dataclass(frozen=True)
class Revision:
    """A commit.

    Attributes:
        commit: first digits of its hash; " + changes" where the sources are not those of it.
        date: its day, YYYY-MM-DD. The day of a run would differ from run to run.
    """

    commit: str
    date: str


@cache
def revision() -> Revision | None:
    """The commit of these sources, None where they are in no Git repository."""
    found = _git("log", "-1", "--abbrev=12", "--format=%h %cs")
    if not found:
        return None
    commit, date = found.split()
    changed = _git("status", "--porcelain", "--", *_SOURCES)
    return Revision(f"{commit} + changes" if changed else commit, date)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

"""What a report was made with: versions, and the commit where there is one. No dates."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGES = ("las", "torch", "transformers", "numpy", "scipy", "lm-eval", "matplotlib", "dvc")


def provenance(directory: Path) -> dict[str, str]:
    """Versions of Python and of the installed packages, and the git commit of `directory`.

    A package that is not installed is left out, and so is the commit outside a git repository.
    """
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit = _commit(directory)
    if commit:
        found["git commit"] = commit
    return found


def _commit(directory: Path) -> str | None:
    try:
        finished = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip()

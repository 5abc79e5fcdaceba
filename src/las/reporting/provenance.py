"""What a report was made with: the versions of packages. No times."""

from __future__ import annotations

import platform
from importlib import metadata

_PACKAGES = ("las", "torch", "transformers", "numpy", "scipy", "lm-eval", "matplotlib", "dvc")


def provenance() -> dict[str, str]:
    """Versions of Python and of packages; one that is not installed is left out."""
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

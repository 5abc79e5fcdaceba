"""Checksums of all files in a directory, kept in one more file there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from las.errors import AssetError
from las.files.atomic import atomic_file
from las.files.checksum import sha256_of

CHECKSUMS = "checksums.json"


def keep_checksums(directory: Path) -> None:
    """Write the checksums of what a directory holds now."""
    (directory / CHECKSUMS).unlink(missing_ok=True)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    sums = {path.relative_to(directory).as_posix(): sha256_of(path) for path in files}
    with atomic_file(directory / CHECKSUMS) as partial:
        partial.write_text(json.dumps(sums, indent=1) + "\n")


def check_contents(directory: Path, digest: Callable[[Path], str] = sha256_of) -> None:
    """Compare what a directory holds with its checksums; without any, nothing is compared.

    Arguments:
        directory: it may hold further files.
        digest: gives the sha256 of a file.

    Raises:
        AssetError: a file is missing or has changed.
    """
    kept = directory / CHECKSUMS
    if not kept.is_file():
        return
    try:
        sums: dict[str, str] = json.loads(kept.read_bytes())
        damaged = [
            name
            for name, expected in sums.items()
            if not (directory / name).is_file() or digest(directory / name) != expected
        ]
    except (ValueError, AttributeError):
        damaged = [CHECKSUMS]
    if damaged:
        raise AssetError(
            f"{', '.join(damaged[:3])} in {directory} {'is' if len(damaged) == 1 else 'are'} "
            "missing or changed since the directory was written: make or fetch it again. If you "
            f"changed it on purpose, delete {CHECKSUMS}"
        )

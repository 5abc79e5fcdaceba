"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tqdm import tqdm

from las.errors import AssetError


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal digits, with a progress bar for large files."""
    digest = hashlib.sha256()
    size = path.stat().st_size
    with (
        path.open("rb") as file,
        tqdm(
            total=size,
            unit="B",
            unit_scale=True,
            desc=f"check {path.name[:40]}",
            disable=size < 2**24,
            leave=False,
        ) as bar,
    ):
        while block := file.read(2**20):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Remove `path` and raise `AssetError` if its sha256 is not `expected`."""
    actual = sha256_of(path)
    if actual != expected:
        path.unlink()
        raise AssetError(
            f"{path.name}: the sha256 is {actual}, expected {expected}. The file was removed. "
            "Fetch again; if the file really changed, correct the checksum in its config."
        )

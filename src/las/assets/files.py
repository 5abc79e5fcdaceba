"""Checksums, links, and files and directories that appear only when they are complete."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` to write to; it takes the place of `target` if all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as scratch:
        partial = Path(scratch) / target.name
        yield partial
        os.replace(partial, target)


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
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


def link_or_copy(source: Path, destination: Path) -> None:
    """Make `destination` the same file as `source`, or a copy where links cannot reach."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()
    try:
        os.link(real, destination)
    except OSError:
        shutil.copyfile(real, destination)

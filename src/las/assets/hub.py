"""Models and data sets from the Hugging Face hub."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from las.errors import AssetError
from las.files.checksum import sha256_of
from las.files.links import link_or_copy

PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.h5", "*.msgpack")
"""Weights that can run code when they are read, or that are of no use here: never fetched."""


@dataclass(frozen=True)
class HubFolder:
    """Files of one hub repository.

    Arguments:
        repo_id: "owner/name".
        patterns: Glob patterns of the files wanted.
        repo_type: "model" or "dataset".
        revision: Branch, tag or commit.
        folder: Where below the asset's folder the files go, each under its own base name; "." is
            the asset's own folder.
    """

    repo_id: str
    patterns: Sequence[str]
    repo_type: Literal["model", "dataset"] = "model"
    revision: str = "main"
    folder: str = "."

    def extract_to(self, target: Path) -> None:
        """Bring the files below `target`, each as the hub's listing says by its checksum.

        A connection that breaks is taken up again where it was. After a killed process the files
        that were whole are in the client's cache, and the others begin anew.

        Raises:
            AssetError: The hub refuses or breaks off, holds no such file, or sent another than it
                lists.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils import filter_repo_objects

        try:
            snapshot = Path(
                snapshot_download(
                    self.repo_id,
                    repo_type=self.repo_type,
                    revision=self.revision,
                    allow_patterns=list(self.patterns),
                    ignore_patterns=list(PICKLED),
                )
            )
        except Exception as error:  # the client's errors share no base class
            raise AssetError(f"cannot fetch {self.repo_id} from the hub: {error}") from error
        # The client's cache holds what was ever fetched of a repository, not only what was asked.
        there = [str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if p.is_file()]
        files = list(filter_repo_objects(there, allow_patterns=list(self.patterns)))
        if not files:
            raise AssetError(f"{self.repo_id} holds no file that matches {list(self.patterns)}")
        self._check(snapshot, files)
        for name in files:
            path = snapshot / name
            link_or_copy(path, target / self.folder / path.name)

    def _check(self, snapshot: Path, files: Sequence[str]) -> None:
        """Compare files of the client's cache with the hub's listing of that commit.

        Of what comes over plain HTTP the client itself compares the size alone.

        Raises:
            AssetError: One differs. It is removed, so that the next fetch brings it anew.
        """
        from huggingface_hub import HfApi, RepoFile
        from huggingface_hub.utils.sha import git_hash

        try:
            listed = HfApi().get_paths_info(
                self.repo_id, list(files), repo_type=self.repo_type, revision=snapshot.name
            )
        except Exception as error:  # as above
            raise AssetError(f"cannot fetch {self.repo_id} from the hub: {error}") from error
        for entry in listed:
            if not isinstance(entry, RepoFile):
                continue
            path = snapshot / entry.path
            if entry.lfs is not None:
                expected, found = entry.lfs.sha256, sha256_of(path)
            else:
                expected, found = entry.blob_id, git_hash(path.read_bytes())
            if found != expected:
                path.resolve().unlink()
                path.unlink(missing_ok=True)
                raise AssetError(
                    f"{entry.path} of {self.repo_id} came damaged: its checksum is {found},"
                    f" expected {expected}. It was removed: fetch again"
                )


def hub_reachable(timeout: float = 4.0) -> bool:
    """Say within `timeout` seconds whether the hub (or the mirror of HF_ENDPOINT) answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=timeout):
                answered.set()
        except (urllib.error.URLError, OSError, ValueError):
            pass

    # A name look-up knows no time limit of its own, so it is left behind in a daemon thread.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    return answered.is_set()

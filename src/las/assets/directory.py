"""Models and benchmark files that already lie in a directory of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from las.errors import AssetError
from las.files.links import link_or_copy


@dataclass(frozen=True)
class LocalDirectory:
    """A directory that holds one sub-directory for each asset, named like the asset.

    Arguments:
        path: The directory.
    """

    path: Path

    def holds(self, asset: str) -> bool:
        """Say whether the directory has a sub-directory for `asset`.

        Raises:
            AssetError: The directory itself does not exist.
        """
        if not self.path.is_dir():
            raise AssetError(f"there is no directory {self.path}; correct source.directory")
        return (self.path / asset).is_dir()

    def extract_to(self, target: Path, asset: str) -> None:
        """Link (or copy) every file of the sub-directory for `asset` below `target`."""
        folder = self.path / asset
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                link_or_copy(path, target / path.relative_to(folder))

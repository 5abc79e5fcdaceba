"""Models and benchmark files that already lie in a directory of the user's."""

from __future__ import annotations

import os
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

    def files(self, asset: str) -> list[Path]:
        """The files below the sub-directory for `asset`, through links to directories, too.

        Raises:
            AssetError: One of them is a link to nothing.
        """
        below = os.walk(self.path / asset, followlinks=True)
        files = sorted(Path(folder, name) for folder, _, names in below for name in names)
        for file in files:
            if not file.exists():
                raise AssetError(f"{file} is a link to {os.readlink(file)}, which is not there")
        return files

    def extract_to(self, target: Path, asset: str) -> None:
        """Link (or copy) every file of the sub-directory for `asset` below `target`.

        Raises:
            AssetError: A file cannot be read.
        """
        for file in self.files(asset):
            try:
                link_or_copy(file, target / file.relative_to(self.path / asset))
            except PermissionError as error:
                raise AssetError(f"{file} cannot be read: {error.strerror}") from error

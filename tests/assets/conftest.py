"""A tiny wheel on a local index: no test here needs a network."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from las.assets import Wheel
from las.files.checksum import sha256_of

MakeWheel = Callable[..., Wheel]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all pip can see."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def make_wheel(index: Path) -> MakeWheel:
    """Put a wheel with the given members on the index."""

    def make(
        files: dict[str, str],
        members: dict[str, list[str]],
        tag: str = "py3-none-any",
        **fields: object,
    ) -> Wheel:
        path = index / f"tinydata-1.0-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
            archive.writestr(
                "tinydata-1.0.dist-info/METADATA",
                "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\nRequires-Dist: not-there\n",
            )
            archive.writestr(
                "tinydata-1.0.dist-info/WHEEL",
                f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
            )
            archive.writestr("tinydata-1.0.dist-info/RECORD", "")
        wheel = Wheel("tinydata", "1.0", sha256_of(path), members, "CC0")
        return replace(wheel, **fields)  # type: ignore[arg-type]

    return make

"""Records of what a stage's outputs were made from: they are made again only if that changed.

DVC runs a stage for all cells of a model. Beside the outputs of each cell lies a record with
digests of its configuration, of the files that it read, of the code that made it, and of the
outputs themselves. A cell whose record still holds is finished, and is left as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipeline.paths import ROOT

SUFFIX = ".record.json"


@dataclass(frozen=True)
class Record:
    """What some outputs were made from.

    Attributes:
        path: where it is kept.
        made_from: digests of all that the outputs depend on, by name.
        outputs: files and directories.
    """

    path: Path
    made_from: Mapping[str, str]
    outputs: tuple[Path, ...]

    @classmethod
    def of(
        cls,
        outputs: Sequence[Path],
        *,
        config: Mapping[str, Any],
        inputs: Iterable[Path],
        code: Iterable[str],
    ) -> Record:
        """The record of outputs as they would be made now.

        Arguments:
            outputs: files and directories in one folder; the record lies beside the first.
            config: what was configured, as plain data.
            inputs: files and directories that are read; they exist.
            code: the sources, see `code_of`.

        Raises:
            AssetError: an input that was fetched or trained here is damaged.
        """
        from las.files.contents import check_contents

        inputs = list(inputs)
        for path in inputs:
            check_contents(path, _file_digest)
        text = json.dumps(config, sort_keys=True)
        made_from = {"configuration": hashlib.sha256(text.encode()).hexdigest()}
        made_from["code"] = _digest_of_code(tuple(code))
        # By its last two names: where the root lies makes no difference.
        made_from |= {"/".join(path.parts[-2:]): content_digest(path) for path in inputs}
        first = outputs[0]
        return cls(first.with_name(first.name + SUFFIX), made_from, tuple(outputs))

    def holds(self) -> bool:
        """Whether the outputs are there, as they were made, from what is there now."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return (
            all(output.exists() for output in self.outputs)
            and kept == {"made_from": dict(self.made_from), "outputs": self._output_digests()}
        )  # fmt: skip

    def keep(self) -> None:
        """Write it, after the outputs."""
        from las.files.atomic import atomic_file

        kept = {"made_from": dict(self.made_from), "outputs": self._output_digests()}
        with atomic_file(self.path) as file:
            file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")

    def _output_digests(self) -> dict[str, str]:
        return {output.name: content_digest(output) for output in self.outputs}


NO_FIGURE = (
    "pipeline/grid.py",
    "pipeline/params.py",
    "pipeline/published.py",
    "pipeline/records.py",
    "pipeline/revision.py",
    "pipeline/tracking.py",
)
"""Sources that decide what runs, and what is shown where, but no figure."""


def code_of(stage: str) -> list[str]:
    """The sources among a stage's dependencies in dvc.yaml on which its outputs depend."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    described = stages[stage]
    dependencies = described.get("do", described)["deps"]
    sources = [path for path in dependencies if path.startswith(("src/", "pipeline/"))]
    return [path for path in sources if path not in NO_FIGURE]


def content_digest(path: Path) -> str:
    """The sha256 of a file, or of the names and contents of all files below a directory."""
    if path.is_file():
        return _file_digest(path)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()} {_file_digest(file)}\n".encode())
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    found = path.stat()
    return _digest_of_version(path, found.st_mtime_ns, found.st_size)


@cache
def _digest_of_version(path: Path, mtime_ns: int, size: int) -> str:
    """The digest of a file, computed once in a process as long as the file stays as it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _digest_of_code(code: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for source in code:
        place = ROOT / source
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(ROOT).as_posix()
                digest.update(f"{name} {_file_digest(file)}\n".encode())
    return digest.hexdigest()

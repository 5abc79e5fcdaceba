"""Say whether `make repro` gave on this machine what was published, byte for byte.

It compares dvc.lock and metrics/ of the last commit with those of the working tree.

python -m pipeline.reproduced
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NOT_JUDGED = ("report",)
"""The report names versions and the commit; what it shows is judged where it was made."""


@dataclass(frozen=True)
class Difference:
    """A number that is not what was published.

    Attributes:
        file: where it is.
        key: which it is, from the neuron to the metric.
        published, here: the two values; None where there is none.
    """

    file: str
    key: str
    published: float | None
    here: float | None

    @property
    def relative(self) -> float:
        """|here - published| / |published|; infinite where one of them is not there, or is 0."""
        if not self.published or self.here is None:
            return float("inf")
        return abs(self.here - self.published) / abs(self.published)


def outputs(lock: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The stage and the md5 of every output in a dvc.lock."""
    return {
        out["path"]: (name, out["md5"])
        for name, stage in lock["stages"].items()
        if name not in NOT_JUDGED
        for out in stage.get("outs", ())
    }


def differences(file: str, published: Any, here: Any) -> list[Difference]:
    """The numbers that differ between two metrics files."""
    old, new = dict(_numbers(published)), dict(_numbers(here))
    return [
        Difference(file, key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def verdict(root: Path) -> str:
    """Say it in words.

    Raises:
        LookupError: there is nothing to compare; the message says why.
    """
    committed = _committed(root, "dvc.lock")
    if committed is None:
        raise LookupError(
            f"{root.resolve()} is no Git repository with a committed dvc.lock: there is no"
            " published run to compare with"
        )
    lock = root / "dvc.lock"
    published = outputs(yaml.safe_load(committed))
    here = outputs(yaml.safe_load(lock.read_text())) if lock.exists() else {}
    absent = [path for path in published if path not in here or not (root / path).exists()]
    if absent:
        raise LookupError(
            f"{len(absent)} of {len(published)} published outputs are not here, {absent[0]} among"
            " them: run `make repro` first"
        )
    other = {path: stage for path, (stage, md5) in published.items() if here[path][1] != md5}
    own = len(here.keys() - published.keys())
    beyond = f" {own} outputs are here that were not published." if own else ""
    if not other:
        return (
            f"This machine reproduced the published run exactly: all {len(published)} outputs are"
            f" the same, byte for byte.{beyond}"
        )
    stages = {stage.split("@")[0] for stage in other.values()}
    found = []
    for path in sorted(path for path in published if path.startswith("metrics/")):
        old, new = _committed(root, path), (root / path).read_text()
        found += differences(path, json.loads(old or "{}"), json.loads(new))
    text = (
        f"This machine did not reproduce the published run byte for byte: {len(other)} of"
        f" {len(published)} outputs differ (of {', '.join(sorted(stages))}).{beyond}\n"
    )
    if not found:
        return text + "Every figure in metrics/ is the same, to the last digit."
    worst = max(found, key=lambda difference: difference.relative)
    return text + (
        f"{len(found)} figures in metrics/ differ. The largest relative difference is"
        f" {worst.relative:.3g}: {worst.key} in {worst.file} was {worst.published} and is"
        f" {worst.here}."
    )


def _numbers(values: Any, key: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _numbers(value, f"{key} / {name}" if key else name)
    else:
        yield key, values


def _committed(root: Path, path: str) -> str | None:
    """The text of a file in the last commit, None where there is none."""
    done = subprocess.run(
        ["git", "show", f"HEAD:./{path}"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def main() -> None:
    """Print the verdict."""
    try:
        print(verdict(Path()))
    except LookupError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

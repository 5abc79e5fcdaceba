"""`kill -9` at random moments of `dvc repro`, and run again: the same bytes in the end.

python -m benchmarks.killed # after make repro: five times; docs/killed.md has the log
python -m benchmarks.killed --kills 2 --seed 1

It works in throw-away clones of this repository's last commit, with the models and data sets of
this one and a grid of two models and a few neurons.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.mend import mend
from pipeline.paths import ROOT
from pipeline.revision import revision

NEURONS = {
    "minilm-l6": ["t16h5", "t8h5"],
    "gpt2-wiki": ["t16h5", "t8h5", "qcfs-t8"],
}
MADE = ("data/models", "data/spiking", "metrics", "reports", "results", "sweeps")
"""What is compared. Models are put there, the rest is made."""
TIMINGS = "timings.json"
"""Files that say how long models took: no two runs have the same."""


@dataclass(frozen=True)
class Copy:
    """A clone of the repository with inputs and a small grid.

    Attributes:
        root: where it is.
    """

    root: Path

    @classmethod
    def make(cls, root: Path, commit: str) -> Copy:
        """Clone it, and have DVC take the models and data sets as what its stages have made."""
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        subprocess.run(["git", "checkout", "--quiet", "--detach", commit], cwd=root, check=True)
        copy = cls(root)
        grid = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        for models in (grid["fetched"], grid["trained"], grid["fine_tuned"], grid["models"]):
            for name in list(models):
                if name in NEURONS:
                    models[name]["neurons"] = NEURONS[name]
                else:
                    del models[name]
        (root / "params.yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")
        (root / "dvc.lock").unlink()
        for kind, names in (("models", NEURONS), ("assets", grid["datasets"])):
            for name in names:
                shutil.copytree(ROOT / "data" / kind / name, root / "data" / kind / name)
                record = ROOT / "data" / kind / f"{name}.record.json"
                if record.is_file():
                    shutil.copy(record, root / "data" / kind)
        subprocess.run(
            ["dvc", "commit", "--quiet", "--force", "fetch_model", "fetch_data", "pretrain"],
            **copy.place(),
            check=True,
        )
        return copy

    def place(self) -> dict[str, Any]:
        """Where and with what its processes run."""
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "src"),
            "DVC_NO_ANALYTICS": "1",
            "WANDB_MODE": "offline",
        }
        return {"cwd": self.root, "env": environment}

    @property
    def log(self) -> Path:
        """What DVC and the stages print."""
        return self.root.with_suffix(".log")

    def begin(self) -> subprocess.Popen[bytes]:
        """Begin `dvc repro`, in a group of processes of its own."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                ["dvc", "repro"],
                **self.place(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def finish(self) -> float:
        """Run `dvc repro` to its end; return how many seconds it took.

        Raises:
            RuntimeError: it failed.
        """
        start = time.monotonic()
        if self.begin().wait():
            raise RuntimeError(f"dvc repro failed:\n{self.log.read_text()[-4000:]}")
        return time.monotonic() - start

    def doing(self) -> str:
        """The stage at which it is or was, and how many cells are finished."""
        said = [line for line in self.log.read_text().splitlines() if "Running stage" in line]
        stage = said[-1].split("'")[1] if said else "DVC, before its first stage"
        cells = len(list((self.root / "results").rglob("energy.json")))
        return f"{stage}, {cells} cells finished"

    def made(self) -> dict[str, bytes]:
        """The files that are compared."""
        files = (file for folder in MADE for file in (self.root / folder).rglob("*"))
        return {
            str(file.relative_to(self.root)): file.read_bytes()
            for file in sorted(files)
            if file.is_file() and file.name != TIMINGS
        }


def kill(process: subprocess.Popen[bytes], everything: bool) -> None:
    """SIGKILL to `dvc repro`, or to all its group."""
    (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
    process.wait()


def ended(group: int) -> bool:
    """Whether nothing of a group of processes is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def differences(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names of files that are not the same, missing or too many."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )


def lines(kills: int, seed: int, place: Path) -> Iterator[str]:
    """Run undisturbed, then kill and go on; say what happened."""
    grid = "; ".join(f"{model}: {', '.join(neurons)}" for model, neurons in NEURONS.items())
    yield f"grid {grid}"
    found = revision()
    if found is None:
        raise SystemExit(f"{ROOT} is no Git repository, which this clones")
    commit = found.commit.removesuffix(" + changes")
    undisturbed = Copy.make(place / "undisturbed", commit)
    took = undisturbed.finish()
    expected = undisturbed.made()
    yield f"undisturbed, {took:.0f} s: {undisturbed.doing()}, {len(expected)} files"
    moments = random.Random(seed)
    landed, copies, groups = 0, 0, []
    disturbed = Copy.make(place / "killed-0", commit)
    while True:
        moment = moments.expovariate(kills / took) if landed < kills else None
        everything = moments.random() < 0.5
        yield from mend(disturbed.root)  # as make repro does
        process = disturbed.begin()
        groups.append(process.pid)
        start = time.monotonic()
        try:
            failed = process.wait(moment)
        except subprocess.TimeoutExpired:
            kill(process, everything)
            landed += 1
            who = "dvc and its children" if everything else "dvc alone"
            yield f"kill {landed} ({who}) after {moment:.1f} s: {disturbed.doing()}"
            continue
        if failed:
            raise SystemExit(f"dvc repro failed:\n{disturbed.log.read_text()[-4000:]}")
        while not all(map(ended, groups)):  # what is left of runs of which DVC alone was killed
            time.sleep(0.1)
        yield f"finished after {time.monotonic() - start:.1f} s: {disturbed.doing()}"
        unlike = differences(disturbed.made(), expected)
        if unlike:
            raise SystemExit("\n".join([f"{len(unlike)} files differ:", *unlike]))
        yield f"all {len(expected)} files are the same, byte for byte"
        if landed == kills:
            return
        copies += 1
        disturbed = Copy.make(place / f"killed-{copies}", commit)


def main() -> None:
    """Print the log."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", metavar="N", type=int, default=5)
    parser.add_argument("--seed", metavar="S", type=int, default=0)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(options.kills, options.seed, Path(folder)):
            print(line, flush=True)


if __name__ == "__main__":
    main()

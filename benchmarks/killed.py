"""`kill -9` at random moments of a small grid, and run again: the same tables, byte for byte.

python -m benchmarks.killed           # after make repro: five times, on MiniLM
python -m benchmarks.killed --kills 2
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from las.reporting.report import write_report
from pipeline.paths import ROOT

MODEL, NEURONS, SUITE = "minilm-l6", ("t16h5", "t8h5"), "similarity"


def begin(root: Path, mine: Path) -> subprocess.Popen[bytes]:
    """Begin the grid below `root`, in a group of processes of its own."""
    overrides = [
        *(f"root={root}", f"hydra.sweep.dir={root / 'outputs'}", "tracking=none"),
        *("source=directory", f"source.directory={mine}", f"model={MODEL}"),
        *(f"evaluation={SUITE}", f"neuron={','.join(NEURONS)}", "calibration.count=32"),
    ]
    with (root / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.cell", "-m", *overrides],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(root: Path, mine: Path) -> float:
    """Run the grid to its end; return how long it took.

    Raises:
        RuntimeError: it failed.
    """
    start = time.monotonic()
    if begin(root, mine).wait():
        raise RuntimeError(f"the grid failed: {(root / 'log.txt').read_text()[-2000:]}")
    return time.monotonic() - start


def outcome(root: Path) -> dict[str, bytes]:
    """Everything that was scored, counted and estimated, and all tables of it; no times."""
    for file in (root / "results").rglob("timings.json"):
        file.unlink()
    cells = [{"model": MODEL, "neuron": neuron, "evaluation": SUITE} for neuron in NEURONS]
    write_report(root / "results", cells, root / "reports")
    files = [*(root / "results").rglob("*.json"), *(root / "reports" / "tables").iterdir()]
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(files)}


def lines(kills: int, seed: int, mine: Path, place: Path) -> Iterator[str]:
    """Run undisturbed, then kill and go on; say what happened."""
    undisturbed = place / "undisturbed"
    undisturbed.mkdir()
    took = finish(undisturbed, mine)
    expected = outcome(undisturbed)
    yield f"undisturbed: {took:.0f} s, {len(expected)} files of results and tables"
    moments = random.Random(seed)
    root, landed, roots = place / "killed-0", 0, 0
    root.mkdir()
    while landed < kills:
        process, moment = begin(root, mine), moments.uniform(0, took)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            landed += 1
            cells = len(list((root / "results").rglob("energy.json")))
            yield f"kill {landed} after {moment:.1f} s: {cells} of {len(NEURONS)} cells finished"
            continue
        same = outcome(root) == expected
        yield f"it finished before it could be killed: {'the same' if same else 'OTHER'} tables"
        roots += 1
        root = place / f"killed-{roots}"
        root.mkdir()
    took = finish(root, mine)
    same = outcome(root) == expected
    yield f"run again: {took:.0f} s, {'the same' if same else 'OTHER'} tables, byte for byte"
    if not same:
        raise SystemExit("the tables differ")


def main() -> None:
    """Print the log."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", metavar="N", type=int, default=5)
    parser.add_argument("--seed", metavar="S", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        mine = place / "mine"
        mine.mkdir()
        for kind, name in (
            ("models", MODEL),
            ("assets", "wikipedia"),
            ("assets", "word-similarity"),
        ):
            held = (ROOT / "data" / kind / name).resolve()
            if not held.is_dir():
                sys.exit(f"{held} is missing: run make repro first")
            (mine / name).symlink_to(held)
        for line in lines(options.kills, options.seed, mine, place):
            print(line, flush=True)


if __name__ == "__main__":
    main()

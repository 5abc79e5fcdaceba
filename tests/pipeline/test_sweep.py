"""Sweeps of cells: one after the other, side by side by every launcher, and with failures."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import cell, progress
from pipeline.paths import ROOT

pytestmark = pytest.mark.slow

MODEL = "smollm2-135m"
THREE = "neuron=t8h5,t10h5,t16h5"


Sweep = Callable[..., "subprocess.Popen[str]"]


def common(mine: Path) -> list[str]:
    """The overrides of every cell here."""
    dump = "wikipedia/pages.xml.bz2"
    return [
        *(f"model={MODEL}", "evaluation=text", "tracking=none"),
        *("source=directory", f"source.directory={mine}"),
        *(f"calibration.dump={dump}", "calibration.count=4", "calibration.length=32"),
        *(f"evaluation.dump={dump}", "evaluation.windows=2", "evaluation.window_tokens=32"),
    ]


@pytest.fixture(scope="module")
def sweep(mine: Path) -> Sweep:
    """Begin `python -m pipeline.cell -m` below a root."""

    def begin(root: Path, *overrides: str) -> subprocess.Popen[str]:
        places = [f"root={root}", f"hydra.sweep.dir={root / 'outputs'}", *common(mine)]
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.cell", "-m", *places, *overrides],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return begin


def said(process: subprocess.Popen[str], status: int = 0) -> str:
    """What it prints until it ends, as it should."""
    out, _ = process.communicate()
    assert process.returncode == status, out[-5000:]
    return out


def results(root: Path) -> dict[str, bytes]:
    """All that was scored, counted and estimated, without times."""
    files = sorted((root / "results").rglob("*.json"))
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in files
        if file.name != "timings.json"
    }


@pytest.fixture(scope="module")
def in_turn(sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Three cells made one after the other, with one between them that fails; what is printed."""
    root = tmp_path_factory.mktemp("in_turn")
    return root, said(sweep(root, "neuron=t8h5,none,t10h5,t16h5"), status=1)


def test_a_cell_that_failed_is_told_at_the_end_and_the_others_are_finished(
    in_turn: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    root, out = in_turn
    told = out[out.rindex(f"{root / 'outputs'}: ") :].splitlines()
    assert told[0].endswith(": 3 finished, 1 failed of 4")
    failed = (
        r"  failed \([\d,]+ s\) smollm2-135m none text: ValueError: the suite Text compares two"
    )
    assert re.match(failed, told[1])
    assert "[1 finished of 4] finished" in out
    assert len({path.split("/")[2] for path in results(root)}) == 3
    (traceback,) = (root / "outputs").glob("*/error.txt")
    assert "in _score" in traceback.read_text() or "in score" in traceback.read_text()
    monkeypatch.setattr(sys, "argv", ["progress", str(root / "outputs")])
    progress.main()
    headline, *states = capsys.readouterr().out.splitlines()
    assert headline.endswith("3 finished, 1 failed of 4")
    assert [state.split()[0] for state in states] == ["finished", "failed", *["finished"] * 2]


def test_a_sweep_that_never_began_has_no_progress(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(progress, "OUTPUTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="no sweep has begun below"):
        progress.newest(tmp_path)


def test_two_processes_make_a_cell_once(
    mine: Path, in_turn: tuple[Path, str], composed, tmp_path: Path
) -> None:
    """One waits for the other, stage by stage, and finds what it made."""
    cfg = composed(f"root={tmp_path}", "neuron=t8h5", *common(mine))
    context = multiprocessing.get_context("fork")
    outputs = [tmp_path / f"{number}.txt" for number in range(2)]

    def make(output: Path) -> None:
        with output.open("w") as file, contextlib.redirect_stdout(file):
            cell.run(cfg)

    processes = [context.Process(target=make, args=(output,)) for output in outputs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    said = "".join(output.read_text() for output in outputs)
    assert said.count("made already") == 3  # statistics, spiking model, results: once each
    expected = results(in_turn[0])
    assert results(tmp_path) == {name: expected[name] for name in expected if "/t8h5/" in name}


LAUNCHERS = {
    "joblib": ("hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
    "submitit_local": ("hydra_submitit_launcher", ["hydra.launcher.timeout_min=10"]),
    "ray": ("hydra_ray_launcher", ["+hydra.launcher.ray.init.num_cpus=2"]),
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_gives_the_results_of_one_after_the_other(
    launcher: str, sweep: Sweep, in_turn: tuple[Path, str], tmp_path: Path
) -> None:
    package, options = LAUNCHERS[launcher]
    plugins = importlib.util.find_spec("hydra_plugins")
    places = list(plugins.submodule_search_locations or ()) if plugins else []
    if not any((Path(place) / package).is_dir() for place in places):
        pytest.skip(f"the launcher is not installed: pip install {package.replace('_', '-')}")
    out = said(sweep(tmp_path, THREE, f"hydra/launcher={launcher}", *options))
    assert "3 finished of 3" in out  # what Ray's workers said may come behind it
    assert results(tmp_path) == results(in_turn[0])

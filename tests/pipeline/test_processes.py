"""A cell made by the processes of `accelerate launch` is the cell of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from pipeline import cell
from pipeline.paths import ROOT

pytestmark = pytest.mark.slow

TWO = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
"""Where there is no GPU, these are two processes of the CPU."""


@pytest.fixture
def overrides(mine: Path, tmp_path: Path) -> list[str]:
    """Those of a cell of zero-shot questions of one's own."""
    data = tmp_path / "mine"
    data.mkdir()
    for place in mine.iterdir():
        (data / place.name).symlink_to(place)
    piqa = data / "zero-shot" / "piqa" / "plain_text" / "validation.jsonl"
    piqa.parent.mkdir(parents=True)
    questions = [
        {"goal": f"Do {i} of {'it' * i}", "sol1": "so", "sol2": "or so", "label": i % 2}
        for i in range(12)
    ]
    piqa.write_text("".join(json.dumps(question) + "\n" for question in questions))
    return [
        *(
            "model=smollm2-135m",
            "neuron=qcfs-t8",
            "evaluation=zero_shot",
            "evaluation.tasks=[piqa]",
        ),
        *("evaluation.dataset.needs=[piqa/**/*.*]", "evaluation.batch_size=4"),
        "calibration.dump=wikipedia/pages.xml.bz2",
        *("calibration.count=4", "calibration.length=32"),
        *("source=directory", f"source.directory={data}", "tracking=none"),
    ]


def results(root: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(root)): file.read_bytes()
        for file in (root / "results").rglob("*.json")
        if file.name != "timings.json"
    }


def test_two_processes_make_the_files_of_one_and_the_first_of_them_writes(
    overrides: list[str], composed: Callable[..., DictConfig], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    cell.run(composed(f"root={one}", *overrides))
    launched = subprocess.run(
        [sys.executable, *TWO, "-m", "pipeline.cell", f"root={two}", *overrides],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr[-3000:]
    assert results(two) == results(one)
    assert len(results(one)) == 5  # scores, spikes, energy, and two records

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import paths
from pipeline.paths import MissingStageError

ROOT = Path(paths.CONF).parent
STAGES = [
    "fetch",
    "pretrain",
    "collect",
    "calibrate",
    "fit",
    "convert",
    "evaluate",
    "energy",
    "report",
]

NEEDS = {
    "collect": "fetch",
    "calibrate": "collect",
    "fit": "collect",
    "convert": "collect",
    "evaluate": "fetch",
    "energy": "evaluate",
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_an_app_that_explains_itself(stage):
    done = subprocess.run(
        [sys.executable, "-m", f"pipeline.{stage}", "--cfg", "job"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "name: smollm2-135m" in done.stdout


@pytest.mark.parametrize(("stage", "earlier"), NEEDS.items())
def test_a_missing_file_names_the_stage_that_makes_it(composed, tmp_path, stage, earlier):
    module = importlib.import_module(f"pipeline.{stage}")
    cfg = composed(f"root={tmp_path}", "model=minilm-l6", "tracking=none")
    with pytest.raises(MissingStageError, match=rf"python -m pipeline\.{earlier} model=minilm-l6"):
        module.run(cfg)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("stage", ["collect", "evaluate"])
def test_a_missing_model_that_is_trained_here_names_pretrain(composed, tmp_path, stage):
    module = importlib.import_module(f"pipeline.{stage}")
    with pytest.raises(MissingStageError, match=r"python -m pipeline\.pretrain model=gpt2-wiki"):
        module.run(composed(f"root={tmp_path}", "model=gpt2-wiki", "tracking=none"))


def test_training_without_its_data_names_fetch(composed, tmp_path):
    from pipeline import pretrain

    with pytest.raises(MissingStageError, match=r"python -m pipeline\.fetch model=gpt2-wiki"):
        pretrain.run(composed(f"root={tmp_path}", "model=gpt2-wiki"))


def test_a_fetched_model_is_not_trained(composed, tmp_path):
    from pipeline import pretrain

    with pytest.raises(ValueError, match=r"pipeline\.fetch only=model model=minilm-l6"):
        pretrain.run(composed(f"root={tmp_path}", "model=minilm-l6"))


def test_a_report_without_results_says_how_to_get_some(composed, tmp_path):
    from pipeline import report

    with pytest.raises(MissingStageError, match="make repro"):
        report.run(composed(f"root={tmp_path}", "tracking=none"))

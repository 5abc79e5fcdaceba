from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from las.errors import LasError, MissingExtraError
from pipeline import evaluate, vlmeval_process
from pipeline.paths import ROOT, Cell, MissingStageError

CELL = ("model=smollm2-135m", "neuron=t16h5", "tracking=none")


@pytest.fixture
def cfg(composed, tmp_path):
    """A cell of the suite vlmeval with everything that it needs, by name at least."""
    cfg = composed(f"root={tmp_path}", "evaluation=vlmeval", *CELL)
    cell = Cell.of(cfg)
    for folder in (cell.base_model, cell.adapter, tmp_path / "data" / "assets" / "easy-vqa"):
        folder.mkdir(parents=True)
    return cfg


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An interpreter of `make vlm` that keeps what it is told and then fails."""
    script = tmp_path / "vlm" / "bin" / "python"
    script.parent.mkdir(parents=True)
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "told = {'arguments': sys.argv[1:], 'cfg': sys.stdin.read(),"
        " 'path': os.environ['PYTHONPATH']}\n"
        "pathlib.Path(__file__).with_name('told.json').write_text(json.dumps(told))\n"
        "sys.exit(7)\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(vlmeval_process, "ENVIRONMENT", tmp_path / "vlm")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return script


def test_without_vlmevalkit_anywhere_the_stage_says_what_to_do(cfg, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(vlmeval_process, "ENVIRONMENT", tmp_path / "nowhere")
    with pytest.raises(MissingExtraError, match="make vlm"):
        evaluate.run(cfg)
    assert not list(Path(cfg.root).rglob("*.json"))


def test_missing_stages_come_first(composed, tmp_path):
    with pytest.raises(MissingStageError, match=r"pipeline\.fetch"):
        evaluate.run(composed(f"root={tmp_path}", "evaluation=vlmeval", *CELL))


def test_the_second_environment_gets_the_whole_configuration(cfg, python):
    from omegaconf import OmegaConf

    cfg.neuron.time_steps = 9  # as on a command line
    with pytest.raises(LasError, match="see its message above"):
        evaluate.run(cfg)
    told = json.loads(python.with_name("told.json").read_text())
    assert told["arguments"] == ["-m", "pipeline.vlmeval_process"]
    assert OmegaConf.create(told["cfg"]) == cfg
    assert told["path"].split(":")[0] == str(ROOT)


def test_an_interpreter_with_vlmevalkit_is_used_itself(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert vlmeval_process.interpreter() == sys.executable


def test_the_papers_sets_bring_their_own_data(composed):
    cfg = composed("evaluation=vlmeval_paper")
    assert cfg.evaluation.get("dataset") is None
    assert cfg.evaluation["_target_"] == vlmeval_process.SUITE


def test_nothing_else_is_sent_to_another_process(composed, tmp_path, monkeypatch):
    from pipeline import scoring

    scored = []
    monkeypatch.setattr(scoring, "score", lambda cfg, _: scored.append(cfg.evaluation.name))
    monkeypatch.setattr(vlmeval_process, "score", lambda cfg: pytest.fail("another process"))
    cfg = composed(f"root={tmp_path}", "evaluation=vqa", *CELL)
    cell = Cell.of(cfg)
    for folder in (cell.base_model, cell.adapter, tmp_path / "data" / "assets" / "easy-vqa"):
        folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError):  # no scores were written that a record could be kept of
        evaluate.run(cfg)
    assert scored == ["vqa"]

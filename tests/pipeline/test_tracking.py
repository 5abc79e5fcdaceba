from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.paths import Cell
from pipeline.tracking import tracked_cell

SCORE = {
    "task": "piqa",
    "metric": "acc",
    "ann": 0.7,
    "snn": 0.69,
    "ann_stderr": 0.05,
    "snn_stderr": None,
    "items": 60,
    "items_available": 1838,
    "agreement": 0.98,
    "kl": None,
}


@pytest.fixture
def cfg(composed, tmp_path, monkeypatch):
    """A cell below an empty root, and no key for the tracker."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return composed(f"root={tmp_path}", "model=minilm-l6", "neuron=t10h5")


def test_without_a_key_a_run_is_written_offline(cfg, tmp_path):
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
    (run,) = tmp_path.glob("wandb/offline-run-*")
    assert run.name.endswith("minilm-l6-t10h5-similarity")
    (table,) = run.glob("files/media/table/tables/*.table.json")
    logged = json.loads(table.read_text())
    assert dict(zip(logged["columns"], logged["data"][0], strict=True)) == SCORE


def test_tracking_can_be_switched_off(cfg, tmp_path):
    cfg.tracking.enabled = False
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
        tracker.log_figure(Path("not-there.png"))
    assert not (tmp_path / "wandb").exists()


def test_a_key_is_never_printed(cfg, monkeypatch, capfd):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setenv("WANDB_MODE", "offline")
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
    printed = capfd.readouterr()
    assert "0123456789" not in printed.out + printed.err


def test_a_tracker_out_of_reach_leaves_the_run_offline(cfg, tmp_path, monkeypatch, capsys):
    import wandb

    begin = wandb.init

    def init(**arguments: object) -> object:
        if arguments["mode"] == "online":
            raise wandb.errors.CommError("no such host")
        return begin(**arguments)

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_MODE", "online")
    with tracked_cell(cfg, Cell.of(cfg)) as tracker:
        tracker.log_scores([SCORE])
    assert "W&B is out of reach" in capsys.readouterr().out
    assert list(tmp_path.glob("wandb/offline-run-*"))

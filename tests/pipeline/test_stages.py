from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import paths
from pipeline.paths import MissingStageError
from tests.tiny_models import plain

ROOT = Path(paths.CONF).parent
STAGES = [
    "fetch",
    "pretrain",
    "collect",
    "convert",
    "evaluate",
    "cell",
    "spikes",
    "report",
]

NEEDS = {
    "collect": "fetch",
    "convert": "collect",
    "evaluate": "fetch",
    "spikes": "fetch",
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


@pytest.mark.parametrize("stage", ["collect", "evaluate", "spikes"])
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


def test_a_cell_without_neurons_scores_the_original_alone(composed, tmp_path, byte_tokenizer):
    from transformers import BloomForCausalLM

    from pipeline import cell

    mine = tmp_path / "mine"
    bloom = plain.make(BloomForCausalLM, vocab_size=len(byte_tokenizer), num_hidden_layers=1)
    bloom.save_pretrained(mine / "bloom-176b")
    byte_tokenizer.save_pretrained(mine / "bloom-176b")
    piqa = mine / "zero-shot" / "piqa" / "plain_text" / "validation.jsonl"
    piqa.parent.mkdir(parents=True)
    rows = [{"goal": f"Do {i}", "sol1": "Yes.", "sol2": "No.", "label": i % 2} for i in range(4)]
    piqa.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cell.run(
        composed(
            f"root={tmp_path}",
            "model=bloom-176b",
            "evaluation=zero_shot",
            "evaluation.tasks=[piqa]",
            "evaluation.dataset.needs=[piqa/**/*.*]",
            "source=directory",
            f"source.directory={mine}",
            "tracking=none",
        )
    )
    folder = tmp_path / "results" / "bloom-176b" / "none" / "zero_shot"
    names = {"evaluation.json", "evaluation.json.record.json", "timings.json"}
    written = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert {path.name for path in written} == names
    assert {path.parent for path in written} == {folder}
    result = json.loads((folder / "evaluation.json").read_text())
    assert result["neuron"] is None
    (score,) = result["scores"]
    assert (score["items"], score["snn"], score["kl"]) == (4, None, None)
    assert 0 <= score["ann"] <= 1

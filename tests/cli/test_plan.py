"""las plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from las.cli import main


def test_plan_reads_the_config_alone(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_bytes((Path(files["llama"]) / "config.json").read_bytes())
    sizes = ["--batch", "2", "--length", "32", "--dtype", "bfloat16"]
    assert main(["plan", str(config), *sizes, "--gpus", "2x24", "--cpu-memory", "1"]) == 0
    table = capsys.readouterr().out
    assert "one pass of 2 x 32 tokens, bfloat16 weights" in table
    assert "GPU 0" in table
    assert main(["plan", str(config), *sizes, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    model = AutoModelForCausalLM.from_pretrained(files["llama"])
    assert made["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert main(["plan", str(config), "--length", "32", "--gpus", "24GB"]) == 2
    assert "e.g. 8x24" in capsys.readouterr().err

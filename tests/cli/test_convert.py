"""las convert."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

import las
from las.conversion.prepare import is_spiking
from tests.cli.running import run


def test_convert_writes_an_adapter_that_loads(files: dict[str, str]) -> None:
    base = AutoModelForCausalLM.from_pretrained(files["llama"])
    assert is_spiking(las.load(base, files["llama-las"]))
    assert [path.name for path in Path(files["llama-las"]).iterdir()] == ["las_adapter.safetensors"]


def test_convert_passes_its_options_on(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--time-steps 10 --levels 3 --bands 1 --rounding floor --windows 2 --length 32"
    status, out, _ = run(
        capsys, "convert", files["llama"], files["text"], "--out", str(tmp_path), *options.split()
    )
    assert status == 0
    assert out.startswith("adapter of 0.")
    report = out.partition("on one window or line:\n")[2].splitlines()
    assert report[0].startswith("error of the outputs")
    spiking, exact = (float(part) for part in report[0].split() if "e-" in part)
    assert exact < 1e-5 < spiking < 1  # T = 10, H = 3 and one band cost something
    config = las.conversion.read_adapter(tmp_path).config
    assert config == las.SpikeConfig(time_steps=10, levels=3, bands=1, rounding="floor")


def test_a_budget_is_spent_and_told(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--budget 1e-3 --levels 8 --windows 4 --length 32"
    status, out, _ = run(
        capsys, "convert", files["llama"], files["text"], "--out", str(tmp_path), *options.split()
    )
    assert status == 0
    measured = float(out.splitlines()[-1].split()[1])
    assert 0 < measured <= 1e-3
    config = las.conversion.read_adapter(tmp_path).config
    assert config == las.SpikeConfig(levels=8, budget=1e-3)


def test_a_full_checkpoint_needs_no_base_model(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "full")
    assert run(capsys, "convert", files["llama"], files["text"], "--out", out, "--full")[0] == 0
    status, report, _ = run(capsys, "audit", out)
    assert status == 0
    assert report.startswith("LlamaForCausalLM: no float operation")
    assert (tmp_path / "full" / "tokenizer.json").exists()

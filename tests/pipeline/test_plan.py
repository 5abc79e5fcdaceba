"""Plans of experiments: the models of a sweep, their sizes, and whether a machine has the room."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from las.planning import GB, Devices
from pipeline import plan

SIZES = {
    "bert-base-mnli": 0.108,
    "flipped-11b": 11.1,
    "gpt2": 0.124,
    "llava-1.5-7b": 7.06,
    "opt-66b": 65.7,
    "qwen2-vl-7b": 8.29,
}
"""Thousand millions of parameters, as the models' own pages say."""


def test_the_models_of_an_experiment_each_with_its_own_settings() -> None:
    found = {cfg.model.name: cfg.neuron.name for cfg in plan.models(["experiment=table4"])}
    assert found == {"llava-1.5-7b": "t16h5-analog-vision", "qwen2-vl-7b": "t16h5"}
    assert [cfg.model.name for cfg in plan.models(["experiment=table2"])] == ["gpt2"]
    (one,) = plan.models(["model=opt-66b", "neuron=t8h5"])
    assert (one.model.name, one.neuron.name) == ("opt-66b", "t8h5")


@pytest.mark.parametrize("name", SIZES)
def test_a_shape_has_the_size_of_the_released_model(name: str) -> None:
    (cfg,) = plan.models([f"model={name}", "neuron=none"])
    shown = plan.row(cfg, Devices((), 1000 * GB, 1000 * GB))
    cells = dict(zip(plan.COLUMNS, shown, strict=True))
    assert float(cells["parameters"].removesuffix(" G")) == pytest.approx(SIZES[name], rel=0.03)
    assert cells["here"] == "yes" and cells["conversion"] == "–"


def test_what_a_machine_lacks_is_said() -> None:
    (cfg,) = plan.models(["model=pythia-12b"])
    cells = plan.row(cfg, Devices((), 10 * GB, 100 * GB))
    assert cells[-1].startswith("slowly: 1") and cells[-1].endswith("from disk each pass")
    assert plan.row(cfg, Devices((), 30 * GB, 20 * GB))[-1] == "no: 3.7 GB of disk lacking"


def test_a_converted_model_has_times_and_the_peak_of_its_conversion() -> None:
    (cfg,) = plan.models(["experiment=table2"])
    cells = dict(zip(plan.COLUMNS, plan.row(cfg, Devices((), 8 * GB, 8 * GB)), strict=True))
    assert cells["files"] == "1.0 GB"  # 0.5 GB downloaded, and once more in float32
    assert float(cells["conversion"].split()[0]) > float(cells["weights"].split()[0])
    assert cells["SNN, 1k"].endswith(" s")


def test_a_model_that_is_not_here_and_has_no_shape_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plan", "model=minilm-l6", f"root={tmp_path}"])
    plan.main()
    assert "pipeline.fetch only=model model=minilm-l6" in capsys.readouterr().out

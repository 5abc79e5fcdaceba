from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import paths

ROOT = Path(paths.CONF).parent
GRID = yaml.safe_load((ROOT / "params.yaml").read_text())
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def config(group: str, name: str) -> Path:
    return Path(paths.CONF) / group / f"{name}.yaml"


@pytest.mark.parametrize("section", ["trained", "fine_tuned", "models", "spiking", "cells"])
def test_every_name_in_the_grid_is_a_config(section):
    for key, cell in GRID[section].items():
        for field, name in cell.items():
            group = {"text": "dataset", "base": "model"}.get(field, field)
            assert config(group, name).is_file(), f"{section}.{key}: no {group} {name}"
    assert all(config("dataset", name).is_file() for name in GRID["datasets"])


def test_a_key_of_the_grid_spells_out_its_cell():
    for section, fields in (
        ("trained", ["model"]),
        ("fine_tuned", ["model"]),
        ("models", ["model"]),
        ("spiking", ["model", "neuron"]),
        ("cells", ["model", "neuron", "evaluation"]),
    ):
        for key, cell in GRID[section].items():
            assert key == "-".join(cell[field] for field in fields)


def test_what_a_cell_builds_on_is_in_the_grid():
    for cell in GRID["cells"].values():
        assert f"{cell['model']}-{cell['neuron']}" in GRID["spiking"]
        assert cell["dataset"] in GRID["datasets"]
    for cell in GRID["spiking"].values():
        assert cell["model"] in GRID["models"]
    made = {**GRID["trained"], **GRID["fine_tuned"]}
    assert sorted([*GRID["fetched"], *made]) == sorted(GRID["models"])
    assert {cell["dataset"] for cell in made.values()} <= set(GRID["datasets"])
    assert {cell["base"] for cell in GRID["fine_tuned"].values()} <= set(GRID["fetched"])


def test_the_grid_names_the_data_that_the_configs_read(composed):
    for cell in GRID["cells"].values():
        assert (
            composed(f"evaluation={cell['evaluation']}").evaluation.dataset.name
            == (cell["dataset"])
        )
    for cell in GRID["models"].values():
        cfg = composed(f"model={cell['model']}")
        assert cfg.calibration.name == cell["calibration"]
        assert cfg.calibration.dataset.name == cell["text"]
        made = cell["model"] in {**GRID["trained"], **GRID["fine_tuned"]}
        assert paths.trained_here(cfg) == made
    for cell in (*GRID["trained"].values(), *GRID["fine_tuned"].values()):
        training = composed(f"model={cell['model']}").model.pretraining
        assert training.dataset.name == cell["dataset"]
        assert ("base" in training) == ("base" in cell)
        assert "base" not in cell or training.base.name == cell["base"]


def test_the_published_grid_is_whole():
    cells = {(c["model"], c["neuron"], c["evaluation"]) for c in GRID["cells"].values()}
    assert ("smollm2-135m", "t16h5", "zero_shot") in cells
    assert ("smollm2-135m", "t16h5", "anytime") in cells
    assert ("gpt2-wiki", "t16h5", "text") in cells
    assert ("opt-wiki", "t16h5", "text") in cells
    assert ("llava-easy-vqa", "t16h5", "vqa") in cells
    assert ("llava-easy-vqa", "t16h5-analog-vision", "vqa") in cells
    assert ("qwen2-vl-easy-vqa", "t16h5", "vqa") in cells
    assert ("minilm-sst2", "t16h5", "glue") in cells
    for neuron in ("t16h5", "t16h1", "t12h5", "t10h5", "t8h5"):
        assert ("smollm2-135m", neuron, "text") in cells
    for steps in (8, 10, 11, 13, 16):
        assert ("minilm-l6", f"t{steps}h5", "similarity") in cells
    for levels in (1, 3, 5, 7, 10, 12, 15):
        assert ("minilm-l6", f"t16h{levels}", "similarity") in cells


def test_every_dependency_on_source_exists():
    for name, stage in STAGES.items():
        for dependency in stage.get("do", stage)["deps"]:
            if dependency.startswith(("src/", "pipeline/")):
                assert (ROOT / dependency).exists(), f"{name}: {dependency}"


@pytest.mark.parametrize("with_git", [True, False])
def test_dvc_reads_the_stages_with_and_without_git(tmp_path, with_git):
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", tmp_path / ".dvc")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def do(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    if with_git:
        do("git", "init", "--quiet")
    # `make dvc` without its environment, which is the one that runs this test
    do("make", "dvc", "--assume-old=.venv/.ready")
    listed = do("dvc", "stage", "list", "--name-only").split()
    assert "report" in listed
    assert {f"pretrain@{key}" for key in GRID["trained"]} <= set(listed)
    assert {f"fine_tune@{key}" for key in GRID["fine_tuned"]} <= set(listed)
    for key in GRID["cells"]:
        assert {f"evaluate@{key}", f"energy@{key}"} <= set(listed)
    do("dvc", "dag", "report")

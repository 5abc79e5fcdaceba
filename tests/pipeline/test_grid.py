from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import grid as grid_command
from pipeline import paths
from pipeline.params import SOURCES, Grid
from pipeline.paths import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
GRID = Grid.read(ROOT)
TRAINED = PARAMS["trained"] | PARAMS["fine_tuned"]


def is_config(group: str, name: str) -> bool:
    return (Path(paths.CONF) / group / f"{name}.yaml").is_file()


def test_every_name_in_the_grid_is_a_config():
    groups = {"base": "model", "trained_on": "dataset"}
    for model, entry in GRID.models.items():
        assert is_config("model", model)
        for field in entry.keys() - {"neurons", "suites"}:
            group = groups.get(field, field)
            assert is_config(group, entry[field]), f"{model}: no {group} {entry[field]}"
        assert all(is_config("neuron", name) for name in entry["neurons"]), model
        assert all(is_config("evaluation", name) for name in entry["suites"]), model
    assert all(is_config("dataset", name) for name in PARAMS["datasets"])


def test_the_models_that_dvc_reads_are_those_below_the_three_headings():
    assert PARAMS["models"] == GRID.models
    assert sum(len(PARAMS[source]) for source in SOURCES) == len(GRID.models)


def test_a_suite_runs_with_neurons_of_its_model():
    for model, entry in GRID.models.items():
        assert len(set(entry["neurons"])) == len(entry["neurons"])
        for suite in entry["suites"]:
            assert set(GRID.neurons(model, suite)) <= set(entry["neurons"])


def test_the_grid_names_the_data_that_the_configs_read(composed):
    for model, entry in GRID.models.items():
        cfg = composed(f"model={model}")
        assert cfg.calibration.name == entry["calibration"]
        assert cfg.calibration.dataset.name == entry["dataset"]
        assert paths.trained_here(cfg) == (model in TRAINED)
    for model, entry in TRAINED.items():
        training = composed(f"model={model}").model.pretraining
        assert training.dataset.name == entry["trained_on"]
        assert ("base" in training) == ("base" in entry)
        assert "base" not in entry or training.base.name == entry["base"] in PARAMS["fetched"]


def test_evaluation_waits_for_the_data_of_every_suite(composed):
    read = {
        composed(f"evaluation={cell['evaluation']}").evaluation.dataset.name
        for cell in GRID.cells()
    }
    dependencies = STAGES["evaluate"]["do"]["deps"]
    prefix = "data/assets/"
    named = {path.removeprefix(prefix) for path in dependencies if path.startswith(prefix)}
    assert read == named <= set(PARAMS["datasets"])


def test_the_published_grid_is_whole():
    cells = {(c["model"], c["neuron"], c["evaluation"]) for c in GRID.cells()}
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


@pytest.fixture
def two_suites(tmp_path: Path) -> Path:
    """A folder with a grid of its own."""
    suites = {"text": "all", "anytime": ["t8h5"]}
    entry = {"calibration": "prose", "neurons": ["t16h5", "t8h5"], "suites": suites}
    parameters = {"fetched": {"m": entry}, "trained": {}, "fine_tuned": {}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(parameters, sort_keys=False))
    return tmp_path


def test_one_more_neuron_touches_one_place(two_suites: Path):
    file = two_suites / "params.yaml"
    before = list(Grid.read(two_suites).cells())
    file.write_text(file.read_text().replace("- t16h5\n", "- t16h5\n    - t16h7\n", 1))
    grown = Grid.read(two_suites)
    assert [cell for cell in grown.cells() if cell not in before] == [
        {"model": "m", "neuron": "t16h7", "evaluation": "text"}
    ]
    convert = ["model=m", "calibration=prose", "neuron=t16h5,t16h7,t8h5"]
    assert grown.sweeps("convert", "m") == [convert]


def test_a_stage_runs_once_for_each_suite_of_a_model_in_one_process(
    two_suites: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    from pipeline import convert, evaluate

    runs: list[list[str]] = []
    monkeypatch.chdir(two_suites)
    monkeypatch.setattr(convert, "main", lambda: runs.append(sys.argv))
    monkeypatch.setattr(evaluate, "main", lambda: runs.append(sys.argv))
    monkeypatch.setattr(grid_command, "write_metrics", lambda *told: runs.append([told[2]]))
    for stage in ("convert", "evaluate"):
        monkeypatch.setattr(sys, "argv", ["grid", stage, "m", "tracking=none"])
        grid_command.main()
    assert runs == [
        [
            *("pipeline.convert", "--multirun", "model=m"),
            *("calibration=prose", "neuron=t16h5,t8h5", "tracking=none"),
        ],
        [
            *("pipeline.evaluate", "--multirun", "model=m"),
            *("evaluation=text", "neuron=t16h5,t8h5", "tracking=none"),
        ],
        [
            *("pipeline.evaluate", "--multirun", "model=m"),
            *("evaluation=anytime", "neuron=t8h5", "tracking=none"),
        ],
        ["m"],
    ]


def test_a_sweep_that_failed_stops_no_other_and_is_named_at_the_end(two_suites, monkeypatch):
    from pipeline import evaluate

    begun: list[str] = []

    def fails() -> None:
        begun.append(sys.argv[3])
        if begun[-1] == "evaluation=text":
            sys.exit(1)  # as Hydra does after it has said why

    monkeypatch.chdir(two_suites)
    monkeypatch.setattr(evaluate, "main", fails)
    monkeypatch.setattr(grid_command, "write_metrics", lambda *_: begun.append("metrics"))
    monkeypatch.setattr(sys, "argv", ["grid", "evaluate", "m"])
    with pytest.raises(SystemExit, match=r"Some cells failed.*\n.*evaluation=text"):
        grid_command.main()
    assert begun == ["evaluation=text", "evaluation=anytime"]


@pytest.mark.parametrize("arguments", [[], ["convert"], ["convert", "nobody"], ["report", "m"]])
def test_what_the_grid_cannot_run_is_said(two_suites, monkeypatch, arguments):
    monkeypatch.chdir(two_suites)
    monkeypatch.setattr(sys, "argv", ["grid", *arguments])
    with pytest.raises(SystemExit, match=r"usage: .*\nmodels of params.yaml: m"):
        grid_command.main()


def test_every_dependency_in_the_repository_exists():
    for name, stage in STAGES.items():
        for dependency in stage.get("do", stage)["deps"]:
            if dependency.startswith(("src/", "pipeline/", "conf/")):
                for entry in GRID.models.values():
                    path = re.sub(r"\$\{item\.(\w+)\}", lambda of: entry[of[1]], dependency)  # noqa: B023
                    assert (ROOT / path).exists(), f"{name}: {path}"


@pytest.mark.parametrize("with_git", [True, False])
def test_dvc_reads_the_stages_with_and_without_git(tmp_path, with_git):
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline")
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
    assert len(listed) <= 40  # each is a process that has to import transformers
    assert {f"pretrain@{key}" for key in PARAMS["trained"]} <= set(listed)
    assert {f"fine_tune@{key}" for key in PARAMS["fine_tuned"]} <= set(listed)
    for stage in ("collect", "convert", "evaluate"):
        assert {f"{stage}@{model}" for model in GRID.models} <= set(listed)
    do("dvc", "dag", "report")

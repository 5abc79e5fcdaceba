"""All stages of a cell, on a tiny model: what is made again, and what is left as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from las.reporting.results import load_results
from pipeline import cell, collect, convert, evaluate, scoring
from pipeline.params import Grid
from pipeline.plots import write_sweeps
from pipeline.published import metrics_file, write_metrics

MODEL = "smollm2-135m"
Make = Callable[..., list[str]]


@pytest.fixture
def make(composed, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Run a cell below `tmp_path`; return which stages did something."""
    did: list[str] = []
    for module, name in ((collect, "_collect"), (convert, "_convert"), (evaluate, "_estimate")):
        monkeypatch.setattr(module, name, noted(getattr(module, name), name, did))
    monkeypatch.setattr(scoring, "score", noted(scoring.score, "score", did))

    def run(*overrides: str) -> list[str]:
        did.clear()
        common = [f"root={tmp_path}", f"model={MODEL}", "neuron=t8h5", "evaluation=text"]
        common += ["source=directory", f"source.directory={mine}", "tracking=none"]
        dump = "wikipedia/pages.xml.bz2"
        common += [f"calibration.dump={dump}", "calibration.count=4", "calibration.length=32"]
        common += [f"evaluation.dump={dump}", "evaluation.windows=2", "evaluation.window_tokens=32"]
        cell.run(composed(*common, *overrides))
        return list(did)

    return run


def noted(function: Callable[..., Any], name: str, did: list[str]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        did.append(name)
        return function(*arguments)

    return run


ALL = ["_collect", "_convert", "score", "_estimate"]


@pytest.mark.slow
def test_a_cell_is_made_once_and_again_where_its_configuration_changed(
    make: Make, tmp_path: Path, capsys
) -> None:
    assert make() == ALL
    assert make() == []
    assert capsys.readouterr().out.count("made already") == 3
    assert make("evaluation.windows=3") == ["score", "_estimate"]
    assert make("evaluation.windows=3") == []
    assert make("neuron.margin=1.5")[:2] == ["_convert", "score"]
    assert make("calibration.count=3") == ALL
    assert make("neuron=t10h5", "calibration.count=3") == ALL[1:]


@pytest.mark.slow
def test_an_interrupted_cell_goes_on_where_it_was(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(scoring, "score", stopped)
        with pytest.raises(KeyboardInterrupt):
            make()
    assert make() == ["score", "_estimate"]


@pytest.mark.slow
def test_what_is_scored_is_the_same_in_every_byte_and_times_lie_elsewhere(
    make: Make, tmp_path: Path
) -> None:
    make()
    folder = tmp_path / "results" / MODEL / "t8h5" / "text"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    assert make() == ALL[2:]
    again = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert first.keys() == again.keys()
    assert {name for name in first if first[name] != again[name]} <= {"timings.json"}
    assert b"seconds" not in first["evaluation.json"]
    for timing in json.loads(first["timings.json"]):
        assert timing["seconds_ann"] > 0 and timing["seconds_snn"] > 0


@pytest.mark.slow
def test_metrics_hold_every_figure_and_sweeps_what_it_costs(make: Make, tmp_path: Path) -> None:
    make()
    make("neuron=t16h5")
    grid = Grid({MODEL: {"neurons": ["t16h5", "t8h5"], "suites": {"text": "all"}}})
    write_metrics(tmp_path, grid, MODEL)
    metrics = json.loads(metrics_file(tmp_path, MODEL).read_text())
    assert list(metrics) == ["t16h5", "t8h5"]
    folder = tmp_path / "results" / MODEL / "t8h5" / "text"
    (prose, _) = json.loads((folder / "evaluation.json").read_text())["scores"]
    figures = metrics["t8h5"]["text"]
    assert figures["wikipedia"]["perplexity"]["snn"] == prose["snn"]
    change = prose["extra"]["relative_change_percent"]
    assert figures["wikipedia"]["perplexity"]["relative_change_percent"] == change
    energy = json.loads((folder / "energy.json").read_text())["total"]
    spikes = json.loads((folder / "spikes.json").read_text())
    assert figures["energy"]["ratio"] == energy["ratio"]
    assert figures["energy"]["spikes"] == sum(s["spikes"] for s in spikes["sites"].values())
    write_sweeps(tmp_path, grid, load_results(tmp_path / "results", grid.cells()))
    assert not list((tmp_path / "sweeps" / "levels").iterdir())
    header, eight, sixteen = (
        (tmp_path / "sweeps" / "time_steps" / f"{MODEL}-text.csv").read_text().splitlines()
    )
    assert header == "time_steps,largest_change_percent,energy_ratio"
    assert eight.startswith("8,") and sixteen.startswith("16,")
    assert float(eight.split(",")[1]) >= abs(change)
    assert float(eight.split(",")[2]) == energy["ratio"]


@pytest.mark.slow
def test_a_frugal_cell_is_made_again_where_its_data_or_its_budget_changed(
    make: Make, tmp_path: Path, capsys
) -> None:
    """A budget is spent by what errors cost on the calibration data."""
    frugal = ("neuron=frugal", "neuron.budget=0.01", "calibration.count=12")
    assert make(*frugal) == ALL
    assert "of the 1.0e-02 allowed" in capsys.readouterr().out
    assert make(*frugal) == []
    folder = tmp_path / "data" / "spiking" / MODEL / "neurons" / "frugal"
    thresholds = json.loads((folder / "thresholds.json").read_text())
    assert len({site["time_steps"] for site in thresholds.values()}) > 1
    assert make(*frugal, "neuron.budget=0.1")[:2] == ["_convert", "score"]
    looser = json.loads((folder / "thresholds.json").read_text())
    assert looser != thresholds
    assert make(*frugal, "neuron.levels=1")[0] == "_convert"
    assert make(*frugal) != []
    assert json.loads((folder / "thresholds.json").read_text()) == thresholds


def test_a_published_conversion_is_a_cell_like_any_other(make: Make, tmp_path: Path) -> None:
    neuron = ["neuron=spikezip-tf-t16", "neuron.time_steps=3"]
    assert make(*neuron) == ALL[2:]  # it collects nothing, and converts in its own way
    assert make(*neuron) == []
    folder = tmp_path / "results" / MODEL / "spikezip-tf-t3" / "text"
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["neuron"] == {"method": "spikezip-tf", "time_steps": 3}
    assert json.loads((folder / "energy.json").read_text())["total"]["ratio"] > 0
    cells = [{"model": MODEL, "neuron": "spikezip-tf-t3", "evaluation": "text"}]
    (baseline,) = load_results(tmp_path / "results", cells).baselines
    assert (baseline.method, baseline.time_steps, len(baseline.scores)) == ("spikezip-tf", 3, 2)


def test_a_fine_tuned_one_is_scored_beside_the_model_as_it_was(
    make: Make, mine: Path, tmp_path: Path
) -> None:
    shutil.copytree(mine / MODEL, tmp_path / "data" / "models" / "gpt2-wiki")
    common = ["model=gpt2-wiki", "model.pretraining.dump=wikipedia/pages.xml.bz2"]
    common.append("neuron.time_steps=2")
    assert make(*common, "neuron=qcfs-t16") == ALL[2:]
    tuned = [*common, "neuron=qcfs-tuned-t16", "neuron.tuning.steps=2"]
    assert make(*tuned) == ALL[2:]
    assert make(*tuned) == []
    cells = [
        {"model": "gpt2-wiki", "neuron": neuron, "evaluation": "text"}
        for neuron in ("qcfs-t2", "qcfs-tuned-t2")
    ]
    before, after = load_results(tmp_path / "results", cells).baselines
    assert (before.system, after.system) == ("qcfs", "qcfs, fine-tuned")
    assert after.tuning_steps == 2
    assert before.scores[0].ann == after.scores[0].ann
    assert before.scores[0].snn != after.scores[0].snn

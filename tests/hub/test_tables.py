"""The paper's experiments from the first download to the last score, with its real names.

`python -m pipeline.cell -m experiment=tableN` runs as a user runs it, in a process of its own, and
asks a hub on this machine through the real clients.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from las.data.glue import GLUE
from las.errors import MissingExtraError
from las.reporting.paper import table_1, table_2, table_3, table_4
from las.reporting.results import Results, load_results
from las.reporting.table import Cell, Number, Table
from pipeline import vlmeval_process
from pipeline.evaluated import evaluated_cells
from pipeline.paths import ROOT
from tests.evaluation.vlmeval.seeing import write_sets
from tests.hub import paper
from tests.hub.server import Hub, serving

pytestmark = pytest.mark.slow

LITTLE = ["calibration.count=4", "calibration.length=32"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub()) as served:
        yield served


def run(hub: Hub, root: Path, *overrides: str) -> None:
    """Run a sweep of cells below `root`; what the hub has not comes from `root`/mine."""
    if not (root / "mine").exists():
        paper.write_own_files(root / "mine")
    own = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = {
        **own,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(root / "hf"),
        "HF_HUB_OFFLINE": "0",
    }
    source = ["source=directory", f"source.directory={root / 'mine'}"]
    places = [f"root={root}", f"hydra.sweep.dir={root / 'outputs'}", "tracking=none"]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cell", "-m", *source, *places, *overrides],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


def scores(root: Path) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """What was scored, by model, neuron and evaluation."""
    found = sorted((root / "results").rglob("evaluation.json"))
    return {
        path.relative_to(root / "results").parts[:3]: json.loads(path.read_text())["scores"]
        for path in found
    }


def computed(table: Callable[[Results], Table], root: Path) -> dict[str, dict[str, Cell]]:
    """The rows that the report's table computes from what was scored, by their names."""
    results = load_results(root / "results", evaluated_cells(root))
    assert not results.damaged
    made = table(results)
    rows = [row.cells for row in made.rows if row.source == "computed"]
    return {str(cells[0]): dict(zip(made.columns, cells, strict=True)) for cells in rows}


def test_table_1(hub: Hub, tmp_path: Path) -> None:
    paper.publish_language_models(hub, tmp_path / "made")
    paper.publish_zero_shot(hub)
    run(hub, tmp_path, "experiment=table1", *LITTLE)
    scored = scores(tmp_path)
    opt = {(f"opt-{size}", "t16h5", "zero_shot_full") for size in paper.OPT}
    others = {"flipped-11b", "t0-11b", "pythia-12b", "gpt-neox-20b", "bloom-176b"}
    assert scored.keys() == opt | {(name, "none", "zero_shot_full") for name in others}
    for (model, *_), found in scored.items():
        assert len(found) == 7 and all(score["items"] == 2 for score in found)
        assert all((score["snn"] is not None) == model.startswith("opt") for score in found)
    rows = computed(table_1.table_1, tmp_path)
    originals = {f"OPT-{size}" for size in ("2.7B", "7B", "13B", "30B", "66B")}
    cited = {"Flipped-11B", "T0-11B", "Pythia-12b", "GPT-NeoX-20B", "BLOOM-176B"}
    assert rows.keys() == originals | {f"LAS ({name})" for name in originals} | cited
    for row in rows.values():
        assert all(isinstance(row[name], Number) for name in table_1.COLUMNS)
    piqa, *_ = scored["opt-66b", "t16h5", "zero_shot_full"]
    shown = rows["LAS (OPT-66B)"]["PIQA"]
    assert isinstance(shown, Number) and shown.value == 100 * piqa["snn"]


def test_table_2(hub: Hub, tmp_path: Path) -> None:
    paper.publish_gpt2(hub, tmp_path / "made")
    run(hub, tmp_path, "experiment=table2", "evaluation.window_tokens=64", *LITTLE)
    scored = scores(tmp_path)
    assert {evaluation for _, _, evaluation in scored} == {"enwik8", "wikitext103"}
    for score, *_ in scored.values():
        assert score["snn"] == pytest.approx(score["ann"], rel=0.05)
        assert score["items"] > 64  # tokens: of several windows
    rows = computed(table_2.table_2, tmp_path)
    assert rows.keys() == {"GPT-2", "LAS (GPT-2)"}
    for name, of in (("En8", "enwik8"), ("WT", "wikitext103")):
        shown, (score, *_) = rows["LAS (GPT-2)"][name], scored["gpt2", "t16h5", of]
        assert isinstance(shown, Number) and shown.value == score["snn"]


def test_table_3(hub: Hub, tmp_path: Path) -> None:
    paper.publish_zero_shot(hub)
    paper.publish_classifiers(hub, tmp_path / "made")
    run(hub, tmp_path, "experiment=table3", *LITTLE)
    scored = scores(tmp_path)
    assert {model for model, *_ in scored} == {f"bert-base-{task}" for task in GLUE}
    for found in scored.values():
        assert found and all(score["items"] > 1 for score in found)
    rows = computed(table_3.table_3, tmp_path)
    assert rows.keys() == {"BERT", "LAS (BERT)"}  # the seven share them
    assert all(row[name] is not None for row in rows.values() for name in table_3.COLUMNS)


def test_table_4(hub: Hub, tmp_path: Path, shapes: Path) -> None:
    """On two of its seven sets: every item is asked in a process that is slow to begin."""
    try:
        vlmeval_process.interpreter()
    except MissingExtraError:
        pytest.skip("VLMEvalKit is not installed: make vlm")
    sets = ["POPE", "RealWorldQA"]
    paper.publish_vision_language(hub, tmp_path / "made")
    paper.write_own_files(tmp_path / "mine")
    shapes.rename(tmp_path / "mine" / "easy-vqa")
    write_sets(tmp_path / "data" / "assets" / "vlmeval", sets)
    few = ["calibration.count=4", "++evaluation.max_new_tokens=2"]
    few += [f"++evaluation.sets=[{','.join(sets)}]"]
    run(hub, tmp_path, "experiment=table4", *few)
    scored = scores(tmp_path)
    assert {(model, neuron) for model, neuron, _ in scored} == {
        ("llava-1.5-7b", "t16h5-analog-vision"),
        ("qwen2-vl-7b", "t16h5"),
    }
    for found in scored.values():
        assert {score["task"] for score in found} == set(sets)
    rows = computed(table_4.table_4, tmp_path)
    assert rows.keys() == {
        *("LLaVA-1.5-7B, analog vision", "LAS (LLaVA-1.5-7B, analog vision)"),
        *("Qwen2-VL-7B", "LAS (Qwen2-VL-7B)"),
    }
    for row in rows.values():
        assert {name for name in table_4.COLUMNS if row[name] is not None} == set(sets)

"""Every cell that was evaluated is in the report, those of params.yaml before the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from las.evaluation.score import Score
from las.reporting import sections
from las.reporting.sub_neurons import SubNeurons
from pipeline import report
from pipeline.evaluated import evaluated_cells
from tests.reporting.conftest import (
    text_scores,
    write_baseline,
    write_cell,
    write_original,
    zero_shot_scores,
)

PARAMS = """
fetched: {tiny-lm: {neurons: [t16h5, t8h5], suites: {text: all}}}
trained: {}
fine_tuned: {}
"""
MRPC = Score("glue_mrpc", "acc", True, 0.8, 0.75, 0.01, 0.01, 408, 408, 0.9, 1e-3)
Report = Callable[[], str]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are empty files, and no functions are fitted for one of them."""
    line = SubNeurons("gelu", False, (1, 26), (0.1, 0.01))
    monkeypatch.setattr(sections, "sub_neurons", lambda: [line])
    monkeypatch.setattr(Figure, "savefig", lambda _, path, **options: Path(path).write_bytes(b""))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The cells of a grid and nothing else."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    for t in (16, 8):
        write_cell(tmp_path / "results", "tiny-lm", "text", t, 5, text_scores(t, 5))
    return tmp_path


@pytest.fixture
def page(composed, root: Path) -> Report:
    """Write the report, and read it."""

    def written() -> str:
        report.run(composed(f"root={root}", "tracking=none"))
        return (root / "reports" / "index.html").read_text()

    return written


def named(root: Path, neuron: str, time_steps: int, levels: int, **options: object) -> None:
    """A cell of the language model whose neurons are not named by T and H."""
    scores = text_scores(time_steps, levels)
    results = root / "results"
    made = write_cell(
        results, "tiny-lm", "text", time_steps, levels, scores, name="-new", **options
    )
    folder = results / "tiny-lm"
    (folder / made["neuron"]).rename(folder / neuron)


def write_all(root: Path) -> None:
    """What the experiments make beside the grid."""
    results = root / "results"
    named(root, "t16h5-one-band", 16, 5, bands=1)
    named(root, "frugal-0.001-h5", 24, 5, budget=0.001, rounding="signed")
    named(root, "released-h10", 16, 10, threshold_rule="released", rounding="floor")
    named(root, "t16h5-paper-rule", 16, 5, threshold_rule="paper")
    for t in (4, 64):
        write_baseline(results, "tiny-lm", "text", "qcfs", t, text_scores(8, 1))
    alone = [replace(s, snn=None, snn_stderr=None, kl=None) for s in zero_shot_scores()]
    write_original(results, "big-lm", "zero_shot", alone)
    write_baseline(results, "bert-mrpc", "glue", "srp", 8, [MRPC])
    write_cell(results, "seeing", "vqa", 16, 5, [replace(MRPC, task="easy-vqa")], vision="analog")


def rows(root: Path, table: str) -> list[list[str]]:
    text = (root / "reports" / "tables" / f"{table}.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_cells_are_listed_by_their_names_in_their_order(root: Path) -> None:
    write_original(root / "results", "big-lm", "zero_shot", [])
    (root / "results" / "spikes").mkdir()
    (root / "results" / "spikes" / "tiny-lm-t16h5.npz").write_bytes(b"")
    assert [tuple(cell.values()) for cell in evaluated_cells(root)] == [
        ("big-lm", "none", "zero_shot"),
        ("tiny-lm", "t16h5", "text"),
        ("tiny-lm", "t8h5", "text"),
    ]


def test_every_cell_is_in_the_report_and_the_grid_comes_first(page: Report, root: Path) -> None:
    write_all(root)
    text = page()
    assert "without results" not in text and "damaged" not in text
    scores = rows(root, "scores")
    shown = [(model, system, t, h) for model, _, _, system, t, h, *_ in scores]
    lm = "Tiny-LM <b>"
    for row in [
        *((lm, "LAS", t, "5") for t in ("16", "8")),
        *((lm, "thresholds by the paper's rule", "16", "5"), (lm, "one band (no OAT)", "16", "5")),
        *((lm, "frugal 0.001", "≤ 16", "5"), (lm, "the released code's thresholds", "16", "10")),
        *((lm, "qcfs", t, "–") for t in ("4", "64")),
        ("Big-LM", "–", "–", "–"),
        ("BERT, MRPC", "srp", "8", "–"),
        ("Seeing, analog vision", "LAS", "16", "5"),
    ]:
        assert row in shown
    of_las = [model for model, system, *_ in shown if system == "LAS"]
    assert of_las.index(lm) < of_las.index("Seeing, analog vision")
    assert text.index("<h3>Tiny-LM &lt;b&gt;</h3>") < text.index("<h3>Seeing, analog vision</h3>")
    parts = [row[3] for row in rows(root, "ablations") if row[2] == "perplexity"]
    assert parts == ["LAS", "one band (no OAT)", "thresholds by the paper's rule"]
    assert ["qcfs", "4"] in [row[3:5] for row in rows(root, "baselines")]
    assert ["BERT, MRPC", "srp"] in [[row[0], row[3]] for row in rows(root, "baselines")]
    assert all(f'<h2 id="{name}">' in text for name in ("baselines", "ablations", "sweeps"))


def test_what_is_damaged_is_named_and_the_rest_is_shown(page: Report, root: Path) -> None:
    write_all(root)
    folder = root / "results"
    cut = folder / "tiny-lm" / "t8h5" / "text" / "evaluation.json"  # of the grid
    cut.write_text(cut.read_text()[:-100])
    spikes = folder / "tiny-lm" / "t16h5-one-band" / "text" / "spikes.json"
    spikes.write_text("[]")
    lacking = folder / "seeing" / "t16h5-analog-vision" / "vqa" / "evaluation.json"
    content = json.loads(lacking.read_text())
    content["scores"][0]["snn"] = None
    lacking.write_text(json.dumps(content))
    (folder / "tiny-lm" / "qcfs-t64" / "text" / "evaluation.json").write_text("")
    text = page()
    (told,) = [line for line in text.splitlines() if "results are damaged" in line]
    for name in (
        *("tiny-lm/t8h5/text", "tiny-lm/t16h5-one-band/text", "tiny-lm/qcfs-t64/text"),
        "seeing/t16h5-analog-vision/vqa",
    ):
        assert f"{name} (" in told
    assert "<h3>Tiny-LM &lt;b&gt;</h3>" in text
    assert {"qcfs", "srp", "–"} <= {row[3] for row in rows(root, "scores")}
    assert not (root / "reports" / "tables" / "ablations.md").exists()


def test_a_cell_without_spikes_and_energy_is_shown_as_far_as_it_is(
    page: Report, root: Path
) -> None:
    named(root, "frugal-0.001-h5", 24, 5, budget=0.001)
    for name in ("spikes", "energy"):
        (root / "results" / "tiny-lm" / "frugal-0.001-h5" / "text" / f"{name}.json").unlink()
    (root / "results" / "tiny-lm" / "t8h5" / "text" / "energy.json").unlink()
    page()
    assert ["frugal 0.001", "≤ 24"] in [row[3:5] for row in rows(root, "scores")]
    assert not list((root / "sweeps" / "time_steps").iterdir())  # of two points one is left


def test_plots_have_the_plain_cells_of_the_grid_alone(page: Report, root: Path) -> None:
    """All of these have T = 16 or H = 5, and are listed; nothing but T differs in two."""
    write_all(root)
    write_cell(root / "results", "tiny-lm", "text", 12, 5, text_scores(12, 5))  # not listed
    neurons = [path.name for path in (root / "results" / "tiny-lm").iterdir()]
    neurons.remove("t12h5")
    (root / "params.yaml").write_text(PARAMS.replace("t16h5, t8h5", ", ".join(neurons)))
    page()
    file = root / "sweeps" / "time_steps" / "tiny-lm-text.csv"
    header, *lines = file.read_text().splitlines()
    assert header == "time_steps,largest_change_percent,energy_ratio"
    assert [line.split(",")[0] for line in lines] == ["8", "16"]
    eight = json.loads((root / "results/tiny-lm/t8h5/text/energy.json").read_text())
    assert float(lines[0].split(",")[2]) == eight["total"]["ratio"]
    assert float(lines[0].split(",")[1]) == pytest.approx(100 * 10 * 4.0**4 * 2e-5)
    assert not list((root / "sweeps" / "levels").iterdir())

"""The tables of the documentation that show the grid are made from its figures."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from las.reporting.column import tabulate
from pipeline.paths import ROOT
from pipeline.tables import __main__ as command
from pipeline.tables import columns
from pipeline.tables.columns import ORIGINAL, System, by
from pipeline.tables.metrics import Measure, Metrics, MissingFigureError
from pipeline.tables.pages import PAGES, markdown, page


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the last commit's metrics/. `make repro` writes this machine's into the tree."""
    archive = ["git", "archive", "HEAD", "metrics"]
    done = subprocess.run(archive, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no commit says which figures were published")
    root = tmp_path_factory.mktemp("committed")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(root, filter="data")
    return root


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_published_figures(name: str, committed: Path) -> None:
    """Those of the last commit, or new ones that are about to be committed with the page."""
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    shows = any(page(name, text, Metrics(root)) == text for root in (committed, ROOT))
    assert shows, f"docs/{name}.md is not made from metrics/: run python -m pipeline.tables"


@pytest.fixture
def copied(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of one's own with figures and pages, on which the command works."""
    shutil.copytree(committed / "metrics", tmp_path / "metrics")
    (tmp_path / "docs").mkdir()
    for name in PAGES:
        shutil.copy(ROOT / "docs" / f"{name}.md", tmp_path / "docs")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["pipeline.tables"])
    return tmp_path


def change(root: Path, model: str, *path: str, to: float | None) -> None:
    """Set one figure of a model; None removes what stands at that path."""
    file = root / "metrics" / f"{model}.json"
    figures = json.loads(file.read_text())
    inner = figures
    for name in path[:-1]:
        inner = inner[name]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    file.write_text(json.dumps(figures))


def read(root: Path) -> dict[str, str]:
    return {name: (root / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in PAGES}


def test_a_figure_that_moves_moves_on_every_page_that_shows_it(copied: Path) -> None:
    command.main()
    before = read(copied)
    score = ("t16h5-percentile", "glue", "glue_sst2", "acc")
    change(copied, "minilm-sst2", *score, "kl", to=0.123)
    change(copied, "minilm-l6", "t16h5", "similarity", "energy", "ratio", to=0.999)
    command.main()
    after = read(copied)

    def moved(name: str) -> list[str]:
        pairs = zip(before[name].splitlines(), after[name].splitlines(), strict=True)
        return [new for old, new in pairs if old != new]

    (percentile,) = moved("ablations")
    assert percentile.startswith("| thresholds by percentile | ")
    assert percentile.endswith(" | 1.2e-01 |")
    whole, levels = moved("results")
    assert whole.startswith("| **T = 16, H = 5** | ") and whole.endswith(" | 1.00 |")
    assert levels.startswith("| LAS | ") and " | 0.999 | " in levels
    (beside,) = moved("baselines")
    assert beside.startswith("| LAS, T = 16, H = 5 | ") and beside.endswith(" | 1.00 |")


@pytest.mark.parametrize(
    ("model", "path", "missing"),
    [
        ("minilm-l6", ("released-h7",), "released-h7"),
        ("gpt2-wiki", ("fas-t8", "text", "wikipedia", "perplexity"), "perplexity"),
        ("qwen2-vl-easy-vqa", ("frugal", "vqa", "easy-vqa", "acc", "kl"), "kl"),
        ("smollm2-135m", ("t16h5", "zero_shot"), "zero_shot"),
    ],
)
def test_what_is_missing_is_named_and_no_page_written(
    model: str, path: tuple[str, ...], missing: str, copied: Path
) -> None:
    change(copied, model, *path, to=None)
    change(copied, "opt-wiki", "frugal", "text", "energy", "ratio", to=9.0)
    before = read(copied)
    with pytest.raises(SystemExit) as stopped:
        command.main()
    told = str(stopped.value)
    assert f"{' / '.join(path)}" in told
    assert f"metrics/{model}.json, but it has no {missing}." in told
    assert "make repro" in told and "pipeline/tables/" in told
    assert read(copied) == before


def test_a_model_without_figures_is_named(copied: Path) -> None:
    (copied / "metrics" / "llava-easy-vqa.json").unlink()
    with pytest.raises(MissingFigureError, match=r"metrics/llava-easy-vqa\.json, but there is no"):
        page("results", read(copied)["results"], Metrics(copied))


SCORE = {"ann": 0.8, "snn": 0.6, "ann_stderr": 0.01, "snn_stderr": 0.02}
ASKED = Measure("tiny", "vqa", "easy-vqa", "acc")


@pytest.fixture
def tiny(tmp_path: Path) -> Metrics:
    """Two neurons: one right on 60 % where the original is on 80 %, one that never differs."""
    worse = {"easy-vqa": {"acc": SCORE | {"agreement": 0.75, "kl": 0.25}}, "energy": {"ratio": 0.5}}
    alike = {"easy-vqa": {"acc": SCORE | {"snn": 0.8, "agreement": 1.0, "kl": 1.5e-10}}}
    alike["energy"] = {"ratio": 0.75}
    (tmp_path / "metrics").mkdir()
    cells = {"t16h5": {"vqa": alike}, "t8h5": {"vqa": worse}}
    (tmp_path / "metrics" / "tiny.json").write_text(json.dumps(cells))
    return Metrics(tmp_path)


def test_a_table_worked_out_by_hand(tiny: Metrics) -> None:
    asked = by(tiny, ASKED)
    shown = (
        columns.name(""),
        columns.score("accuracy", ".1f").of(asked),
        columns.change("change").of(asked),
        columns.agreement("same answer").of(asked),
        columns.loss("KL").of(asked),
        columns.energy("Eq. 25").of(asked),
    )
    systems = (ORIGINAL, System("**T = 16**", "t16h5"), System("T = 8", "t8h5"))
    assert markdown(tabulate("tiny", "Ten questions:", shown, systems)).splitlines() == [
        "Ten questions:",
        "",
        "| | accuracy | change | same answer | KL | Eq. 25 |",
        "|---|---|---|---|---|---|",
        "| original | 80.0 | | | | 1 |",
        "| **T = 16** | 80.0 | +0.000 % | 100 % | 1.5e-10 | 0.75 |",
        "| T = 8 | 60.0 | -25.000 % | 75.00 % | 2.5e-01 | 0.50 |",
    ]

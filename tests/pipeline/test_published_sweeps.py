"""What was swept goes into the documentation: data, tables, figure."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from las.reporting.swept import read_swept
from pipeline import report
from pipeline.paths import MissingStageError
from pipeline.sweeps import MARK, publish, swept_cells
from tests.reporting.conftest import text_scores, write_baseline, write_cell

PARAMS = """
fetched: {tiny-lm: {neurons: [t16h5], suites: {text: all}}}
trained: {}
fine_tuned: {}
"""
PAGE = f"# Sweeps\n\n{MARK}\n{MARK}\n\nThe end.\n"


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are empty files."""
    monkeypatch.setattr(Figure, "savefig", lambda _, path, **options: Path(path).write_bytes(b""))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A page without tables."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "sweeps.md").write_text(PAGE)
    return folder


def sweep(root: Path, model: str, steps: tuple[int, ...]) -> Path:
    for t in steps:
        write_cell(root / "results", model, "text", t, 5, text_scores(t, 5))
    return root


def test_cells_named_by_t_and_h_alone_are_swept(tmp_path: Path) -> None:
    sweep(tmp_path, "tiny-lm", (9, 16))
    write_cell(tmp_path / "results", "tiny-lm", "text", 8, 5, [], name="-floor")
    write_baseline(tmp_path / "results", "tiny-lm", "text", "qcfs", 8, text_scores(8, 1))
    assert [cell["neuron"] for cell in swept_cells(tmp_path)] == ["t16h5", "t9h5"]


def test_the_report_shows_the_grid_and_what_was_swept_besides(composed, tmp_path: Path) -> None:
    sweep(tmp_path, "tiny-lm", (9, 12, 16))
    write_cell(tmp_path / "results", "tiny-lm", "text", 8, 5, text_scores(8, 5), name="-mine")
    (tmp_path / "params.yaml").write_text(PARAMS)
    report.run(composed(f"root={tmp_path}", "tracking=none"))
    table = (tmp_path / "reports" / "tables" / "sweeps_loss_time_steps.md").read_text()
    assert [line[:4] for line in table.splitlines() if line.startswith("| ")] == [
        *("| T ", "| 9 ", "| 12", "| 16")
    ]


def test_models_that_were_not_swept_again_keep_their_rows(tmp_path: Path, docs: Path) -> None:
    publish(sweep(tmp_path / "a", "tiny-lm", (8, 16)), docs)
    publish(sweep(tmp_path / "b", "big-lm", (4, 16)), docs)
    publish(sweep(tmp_path / "c", "tiny-lm", (8, 12, 16)), docs)
    cells = [(cell.model, cell.time_steps) for cell in read_swept(docs / "sweeps.csv")]
    assert cells == [("big-lm", 4), ("big-lm", 16), *[("tiny-lm", t) for t in (8, 12, 16)]]
    text = (docs / "sweeps.md").read_text()
    assert "| T | Big-LM | Tiny-LM <b> |" in text
    assert text.startswith("# Sweeps\n") and text.endswith("\nThe end.\n")
    assert {path.name for path in docs.iterdir()} == {"sweeps.csv", "sweeps.md", "sweeps.png"}


def test_without_a_sweep_it_says_what_to_run(tmp_path: Path, docs: Path) -> None:
    with pytest.raises(MissingStageError, match="experiment=sweep_time_steps"):
        publish(sweep(tmp_path, "tiny-lm", (16,)), docs)
    assert (docs / "sweeps.md").read_text() == PAGE

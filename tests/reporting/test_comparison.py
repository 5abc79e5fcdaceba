"""Runs side by side, and the paper's tables made from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from las.reporting.comparison import comparison, load_runs
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.results import load_results
from las.reporting.table import Table, text
from tests.cli.running import run

Grid = tuple[Path, list[dict[str, str]]]


def places(grid: Grid) -> list[Path]:
    """The cells of the grid that have results."""
    root, cells = grid
    found = [root / cell["model"] / cell["neuron"] / cell["evaluation"] for cell in cells]
    return [place for place in found if place.is_dir()]


def shown(table: Table) -> list[list[str]]:
    return [[text(cell) for cell in row.cells] for row in table.rows]


def test_tables_1_5_and_6_are_those_of_the_report(grid: Grid) -> None:
    rebuilt = {table.slug: table for table in comparison(load_runs(places(grid)))}
    results = load_results(*grid)
    for build in (table_1, table_5, table_6):
        table = build(results)
        assert shown(rebuilt[table.slug]) == shown(table)
    assert "table4" not in rebuilt  # no run has a score of it


def test_runs_of_one_task_stand_below_one_another(grid: Grid) -> None:
    root, _ = grid
    runs = [root / "tiny-lm" / neuron / "text" for neuron in ("t16h5", "t8h5")]
    side_by_side, *_ = comparison(load_runs(runs))
    rows = [row for row in shown(side_by_side) if row[2] == "held-out Wikipedia, perplexity"]
    assert [row[0] for row in rows] == ["tiny-lm/t16h5/text", "tiny-lm/t8h5/text"]
    assert [row[3] for row in rows] == ["16", "8"]
    first, second = (float(row[6].split(" ± ")[0]) for row in rows)
    assert rows[0][7] == "–"
    assert float(rows[1][7]) == pytest.approx(second - first, abs=1.1e-3)


def test_the_directory_of_a_tracked_run_serves_as_well(grid: Grid, tmp_path: Path) -> None:
    cell = places(grid)[0]
    tracked = tmp_path / "wandb" / "offline-run-20261128_061818-tiny-lm-t16h5-zero_shot"
    shutil.copytree(cell, tracked / "files")
    (result,) = load_runs([tracked]).cells
    assert result.neuron == "tiny-lm-t16h5-zero_shot"
    assert shown(table_1(load_runs([tracked]))) == shown(table_1(load_runs([cell])))


def test_of_two_runs_of_one_setting_the_tables_have_the_last(grid: Grid, tmp_path: Path) -> None:
    cell = places(grid)[0]
    again = tmp_path / "again"
    shutil.copytree(cell, again)
    file = again / "evaluation.json"
    file.write_text(file.read_text().replace('"snn": 0.683', '"snn": 0.5'))
    side_by_side, table = comparison(load_runs([cell, again]))
    assert len([row for row in shown(side_by_side) if row[2] == "PIQA, accuracy"]) == 2
    computed = [row for row in table.rows if row.source == "computed"]
    assert [text(row.cells[3]) for row in computed] == ["68.30 ± 1.00", "50.00 ± 1.00"]


def test_the_command_prints_markdown(grid: Grid, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "compare", *map(str, places(grid)))
    assert (status, err) == (0, "")
    titles = [line for line in out.splitlines() if line.startswith("### Table ")]
    assert [title[10] for title in titles if "were computed" not in title] == [*"12356"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "it has no evaluation.json"), ("{", "holds no scores"), ("{}", "holds no scores")],
)
def test_what_is_no_run_is_refused(
    content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content)
    status, out, err = run(capsys, "compare", str(tmp_path))
    assert (status, out) == (2, "")
    assert words in err
    status, _, err = run(capsys, "compare", str(tmp_path / "nowhere"))
    assert status == 2
    assert "no such directory" in err

"""Runs side by side, and the paper's tables made from them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from las.reporting.comparison import comparison, load_runs
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.results import gathered, load_results
from las.reporting.table import Table, text
from tests.cli.running import run
from tests.reporting.conftest import (
    glue_scores,
    similarity_scores,
    write_baseline,
    write_cell,
    write_original,
)

Grid = tuple[Path, list[dict[str, str]]]


def places(grid: Grid) -> list[Path]:
    """The cells of the grid that have results."""
    root, cells = grid
    found = [root / cell["model"] / cell["neuron"] / cell["evaluation"] for cell in cells]
    return [place for place in found if place.is_dir()]


def shown(table: Table) -> list[list[str]]:
    return [[text(cell) for cell in row.cells] for row in table.rows]


def computed(table: Table) -> list[list[str]]:
    return [[text(cell) for cell in row.cells] for row in table.rows if row.source == "computed"]


def place(root: Path, cell: dict[str, str]) -> Path:
    return root / cell["model"] / cell["neuron"] / cell["evaluation"]


def encoder(root: Path, name: str, levels: int = 5, **options: Any) -> Path:
    """A cell at T = 16 that loses as much as one at T = 8."""
    scores = similarity_scores(8)
    model, suite = "tiny-encoder", "similarity"
    return place(root, write_cell(root, model, suite, 16, levels, scores, name=name, **options))


ABLATED = {
    "-floor": ({"rounding": "floor"}, "floor"),
    "-one-band": ({"bands": 1}, "one band (no OAT)"),
    "-naive-attention": ({"attention": "naive"}, "naive attention"),
    "-half-step": ({"rounding": "half_step"}, "rounding: half step"),
    "-tight": ({"margin": 1.0}, "margin 1"),
}


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
    assert [row[3:6] for row in rows] == [["LAS", "16", "5"], ["LAS", "8", "5"]]
    first, second = (float(row[7].split(" ± ")[0]) for row in rows)
    assert rows[0][8] == "–"
    assert float(rows[1][8]) == pytest.approx(second - first, abs=1.1e-3)


def test_the_directory_of_a_tracked_run_serves_as_well(grid: Grid, tmp_path: Path) -> None:
    cell = places(grid)[0]
    tracked = tmp_path / "wandb" / "offline-run-20261128_061818-tiny-lm-t16h5-zero_shot"
    shutil.copytree(cell, tracked / "files")
    (result,) = load_runs([tracked])
    assert result.neuron == "tiny-lm-t16h5-zero_shot"
    assert shown(table_1(gathered([result]))) == shown(table_1(gathered(load_runs([cell]))))


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


def test_cells_that_lost_a_part_are_named_and_stay_out_of_the_papers_tables(grid: Grid) -> None:
    root, _ = grid
    ablated = [encoder(root, name, **options) for name, (options, _) in ABLATED.items()]
    whole, *tables = comparison(load_runs(places(grid)))
    side_by_side, *others = comparison(load_runs([*places(grid), *ablated]))
    assert [shown(table) for table in others] == [shown(table) for table in tables]
    rows = [row for row in shown(side_by_side) if row[2] == "Lee documents, Spearman"]
    added = rows[-len(ABLATED) :]
    assert len(rows) == len([r for r in shown(whole) if r[2] == rows[0][2]]) + len(ABLATED)
    assert [row[3] for row in added] == [name for _, name in ABLATED.values()]
    assert {tuple(row[4:6]) for row in added} == {("16", "5")}
    assert {row[7] for row in added} == {"41.00 ± 3.00"}  # 71, less what T = 8 loses
    assert any("no table of the paper" in note for note in side_by_side.notes)


def test_thresholds_of_another_rule_have_rows_of_their_own(grid: Grid) -> None:
    root, _ = grid
    rule: dict[str, Any] = {"threshold_rule": "released", "rounding": "floor"}
    released = [encoder(root, "-released", levels, **rule) for levels in (1, 5)]
    before = {table.slug: computed(table) for table in comparison(load_runs(places(grid)))}
    after = {t.slug: computed(t) for t in comparison(load_runs([*places(grid), *released]))}
    assert [row for row in after["table5"] if row in before["table5"]] == before["table5"]
    added = [row for row in after["table5"] if row not in before["table5"]]
    assert {row[0] for row in added} == {"Tiny-Encoder, the released code's thresholds"}
    assert [row[3:6] for row in added if row[1] == "Lee documents, Spearman"] == [
        ["41.00", "–", "41.00"]  # H = 1, 3 and 5
    ]
    assert after["table6"] == before["table6"]
    assert after["table3"] == before["table3"]


def test_a_budget_is_in_no_sweep_and_alone_its_row_says_so(grid: Grid) -> None:
    root, _ = grid
    frugal = encoder(root, "-frugal", budget=4e-4, rounding="signed", bands=3)
    before = comparison(load_runs(places(grid)))[1:]
    side_by_side, *after = comparison(load_runs([*places(grid), frugal]))
    assert [shown(table) for table in after] == [shown(table) for table in before]
    assert "frugal 0.0004" in [row[3] for row in shown(side_by_side)]
    assert any("Table 5" in note for note in side_by_side.notes)
    _, alone = comparison(load_runs([frugal]))
    assert [row[:3] for row in computed(alone)] == [
        ["Tiny-Encoder", "✗", "N/A"],
        ["LAS (Tiny-Encoder, frugal 0.0004)", "✓", "≤ 16"],
    ]


def test_checkpoints_share_a_row_only_where_their_neurons_are_the_same(tmp_path: Path) -> None:
    of_mrpc, of_rte = glue_scores()[:2], glue_scores()[2:]
    cells = [
        write_cell(tmp_path, "bert-mrpc", "glue", 16, 5, of_mrpc, row="BERT"),
        write_cell(tmp_path, "bert-sst2", "glue", 16, 5, of_rte, row="BERT", budget=1e-3),
    ]
    _, table = comparison(load_runs([place(tmp_path, cell) for cell in cells]))
    plain, frugal = computed(table)[1:]
    columns = table.columns.index("MRPC"), table.columns.index("RTE")
    assert (plain[0], frugal[0]) == ("LAS (BERT)", "LAS (BERT, frugal 0.001)")
    assert [[row[i] != "–" for i in columns] for row in (plain, frugal)] == [
        [True, False],
        [False, True],
    ]


def test_a_published_conversion_is_shown_under_its_name(grid: Grid) -> None:
    root, _ = grid
    scores = similarity_scores(8)
    srp = place(root, write_baseline(root, "tiny-encoder", "similarity", "srp", 16, scores))
    las = root / "tiny-encoder" / "t16h5" / "similarity"
    side_by_side, table, *_ = comparison(load_runs([las, srp]))
    first, second = (row for row in shown(side_by_side) if row[2] == "Lee documents, Spearman")
    assert first[3:6] == ["LAS", "16", "5"]
    assert second[3:9] == ["srp", "16", "–", "71.00 ± 3.00", "41.00 ± 3.00", "-30.00"]
    assert [row[0] for row in computed(table)] == [
        "Tiny-Encoder",
        "LAS (Tiny-Encoder)",
        "srp, computed here (Tiny-Encoder)",
    ]
    assert shown(table) == shown(table_3(gathered(load_runs([las, srp]))))
    _, alone = comparison(load_runs([srp]))
    assert [row[0] for row in computed(alone)] == [
        "Tiny-Encoder",
        "srp, computed here (Tiny-Encoder)",
    ]


def test_an_original_has_no_spiking_score_beside_a_run(grid: Grid) -> None:
    root, _ = grid
    scores = [
        replace(score, snn=None, snn_stderr=None, kl=None, agreement=None)
        for score in similarity_scores(16)
    ]
    original = place(root, write_original(root, "tiny-encoder", "similarity", scores))
    las = root / "tiny-encoder" / "t8h5" / "similarity"
    side_by_side, *_ = comparison(load_runs([original, las]))
    first, second = (row for row in shown(side_by_side) if row[2] == "Lee documents, Spearman")
    assert first[3:] == ["–", "–", "–", "71.00 ± 3.00", "–", "–", "–", "–"]
    assert second[7:9] == ["41.00 ± 3.00", "–"]  # nothing comes before it


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

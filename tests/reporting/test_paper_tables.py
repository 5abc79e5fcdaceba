"""The paper's tables with the computed rows below the cited ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from las.reporting import paper_tables
from las.reporting.results import Results, load_results
from las.reporting.table import Cell, Row, Table, text

Grid = tuple[Path, list[dict[str, str]]]


@pytest.fixture
def results(grid: Grid) -> Results:
    return load_results(*grid)


def computed(table: Table) -> list[dict[str, Cell]]:
    rows = [row for row in table.rows if row.source == "computed"]
    return [dict(zip(table.columns, row.cells, strict=True)) for row in rows]


def test_computed_rows_stand_below_the_cited_ones(results: Results) -> None:
    table = paper_tables.table_1(results)
    sources = [row.source for row in table.rows]
    assert sources == ["cited"] * 16 + ["computed"] * 2
    ann, snn = computed(table)
    assert (ann["S"], ann["T"]) == ("✗", "N/A")
    assert (snn["S"], snn["T"]) == ("✓", "16")
    assert snn["Model"] == "LAS (Tiny-LM <b>)"


def test_accuracies_are_shown_in_per_cent_with_their_errors(results: Results) -> None:
    ann, _ = computed(paper_tables.table_1(results))
    assert text(ann["PIQA"]) == "68.30 ± 1.00"
    assert text(ann["ARC"]) == "55.00 ± 1.00"


def test_a_task_that_was_not_evaluated_is_a_dash(results: Results) -> None:
    ann, snn = computed(paper_tables.table_1(results))
    assert text(ann["WSC"]) == text(snn["WSC"]) == "–"


def test_a_limit_on_the_items_is_said(results: Results) -> None:
    assert any("PIQA: 60 of 1,000" in note for note in paper_tables.table_1(results).notes)


def test_own_text_is_no_column_of_the_paper(results: Results) -> None:
    table = paper_tables.table_2(results)
    ann, snn = computed(table)
    assert text(ann["En8"]) == text(snn["WT"]) == "–"
    assert text(ann["held-out Wikipedia, perplexity"]).startswith("18.200")
    assert all(row.cells[5] is None for row in table.rows if row.source == "cited")


def test_similarity_is_never_put_into_glue_columns(results: Results) -> None:
    for table in (paper_tables.table_3(results), paper_tables.table_6(results)):
        for row in computed(table):
            assert all(row[name] is None for name in ("QQP", "SST-2", "RTE", "STS-B"))
            assert row["WordSim-353, Spearman"] is not None
    assert "no number of the paper" in " ".join(paper_tables.table_3(results).notes)


def test_table_3_shows_the_cell_nearest_to_the_paper(results: Results) -> None:
    assert [row["T"] for row in computed(paper_tables.table_3(results))] == ["N/A", "16"]


def test_two_metrics_of_a_task_share_a_cell_of_table_3(tuned: Grid) -> None:
    ann, snn = computed(paper_tables.table_3(load_results(*tuned)))
    assert (text(ann["MRPC"]), text(snn["MRPC"])) == ("84.00/89.00", "85.00/90.00")
    assert text(ann["RTE"]) == "65.00 ± 5.00"
    assert text(ann["QQP"]) == "–"


def test_classes_of_a_sentence_pair_are_no_zero_shot_answers(tuned: Grid) -> None:
    assert not computed(paper_tables.table_1(load_results(*tuned)))


def test_table_5_has_one_column_for_every_level(results: Results) -> None:
    table = paper_tables.table_5(results)
    assert table.columns[3:] == ("H=1", "H=3", "H=5", "H=7", "H=10", "H=12", "H=15")
    energy = next(row for row in computed(table) if row["Metric"] == "E_snn/E_ann, similarity")
    values = [float(text(energy[f"H={h}"])) for h in (1, 3, 5, 7, 10, 12, 15)]
    assert values == sorted(values, reverse=True)
    language = next(row for row in computed(table) if row["Metric"] == "E_snn/E_ann, text")
    assert text(language["H=3"]) == "–"
    assert text(language["H=1"]) != "–"


def test_table_6_sweeps_the_time_steps(results: Results) -> None:
    rows = computed(paper_tables.table_6(results))
    assert [row["T"] for row in rows] == ["N/A", "8", "10", "11", "13", "16"]


@pytest.mark.parametrize(
    ("build", "cited"),
    [
        (paper_tables.table_1, 16),
        (paper_tables.table_2, 9),
        (paper_tables.table_3, 14),
        (paper_tables.table_4, 4),
        (paper_tables.table_5, 2),
        (paper_tables.table_6, 5),
    ],
)
def test_without_results_only_the_paper_speaks(build: object, cited: int) -> None:
    table = build(Results(()))  # type: ignore[operator]
    assert [row.source for row in table.rows] == ["cited"] * cited
    assert isinstance(table.rows[0], Row)

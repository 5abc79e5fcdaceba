"""The paper's tables at a glance: its pair, ours, and what they differ by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from las.evaluation.score import Score
from las.reporting.paper.glance import glance_at_levels, glance_at_scores, glance_at_steps
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_2 import table_2
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.results import Results, load_results
from las.reporting.table import Table, text
from tests.reporting.conftest import write_cell

Grid = tuple[Path, list[dict[str, str]]]


@pytest.fixture
def results(grid: Grid) -> Results:
    return load_results(*grid)


def line(table: Table, *head: str) -> list[str]:
    """The cells to the right of the first ones, as shown, of the only row that begins so."""
    (row,) = [row for row in table.rows if tuple(map(text, row.cells))[: len(head)] == head]
    return [text(cell) for cell in row.cells[len(head) :]]


def test_the_papers_pairs_are_averaged_and_ours_stands_beside_them(results: Results) -> None:
    table = glance_at_scores(table_1(results))
    # WSC: OPT 78.02, 82.05, 82.78, 82.42, 82.78; LAS 78.02, 81.69, 82.05, 81.32, 85.71.
    assert line(table, "WSC", "–")[:3] == ["81.61", "81.76", "+0.15"]
    assert line(table, "PIQA", "Tiny-LM <b>")[3:] == ["68.30", "68.30", "0.00"]
    assert "OPT-66B" in table.notes[0]


def test_what_the_paper_has_not_is_a_dash_and_what_we_have_not_too(results: Results) -> None:
    table = glance_at_scores(table_2(results), ".3f")
    assert line(table, "WT", "–") == ["16.530", "16.790", "+0.260", "–", "–", "–"]
    own = line(table, "held-out Wikipedia, perplexity", "Tiny-LM <b>")
    assert own[:4] == ["–", "–", "–", "18.200"]


def test_two_metrics_in_a_column_have_a_line_each(tuned: Grid) -> None:
    table = glance_at_scores(table_3(load_results(*tuned)))
    accuracy = line(table, "MRPC, accuracy", "BERT, MRPC")
    assert accuracy == ["84.56", "84.80", "+0.24", "84.00", "85.00", "+1.00"]
    assert line(table, "MRPC, F1", "BERT, MRPC")[3:] == ["89.00", "90.00", "+1.00"]
    assert line(table, "STS-B, Spearman", "–")[:3] == ["88.48", "88.53", "+0.05"]


def test_time_steps_compare_means_over_the_same_scores(results: Results) -> None:
    table = glance_at_steps(table_6(results))
    assert [text(row.cells[0]) for row in table.rows] == ["16", "13", "11", "10", "8"]
    # At T = 10 the paper has QQP, SST-2 and both of MRPC.
    ann = (90.71 + 92.66 + 84.56 + 89.19) / 4
    snn = (68.64 + 49.08 + 68.63 + 81.29) / 4
    shown = line(table, "10", "Tiny-Encoder")
    assert shown[:3] == [f"{ann:.2f}", f"{snn:.2f}", f"{snn - ann:+.2f}"]
    assert shown[5] == f"{-30 / 16:+.2f}"  # what the made-up scores lose at T = 10


def test_levels_have_their_energies(results: Results) -> None:
    table = glance_at_levels(table_5(results))
    shown = line(table, "3", "Tiny-Encoder")
    assert shown[:4] == ["88.70", "88.80", "+0.10", "0.63"]
    sweep = {c.levels: c for c in results.cells if c.evaluation == "similarity"}
    energy = sweep[3].energy
    assert energy is not None and energy.total.ratio is not None
    assert shown[7] == f"{energy.total.ratio:.3f}"


def test_on_stsb_pearson_stands_beside_pearson(grid: Grid) -> None:
    root, cells = grid
    error = {"ann_stderr": 0.1, "snn_stderr": 0.1, "items": 1500, "items_available": 1500}
    other = Score("glue_rte", "acc", True, 0.6, 0.5, **error)  # type: ignore[arg-type]
    scores = [
        replace(other, task="glue_stsb", metric=metric, ann=ann, snn=ann - 1)
        for metric, ann in (("spearman", 80.0), ("pearson", 90.0))
    ]
    swept = [
        write_cell(root, "bert-mrpc", suite, 16, levels, found, row="BERT")
        for suite, found in (("own", [other]), ("glue", [other, *scores]))
        for levels in (1, 5)
    ]
    results = load_results(root, [*cells, *swept])
    table = glance_at_levels(table_5(results))
    assert line(table, "1", "BERT, MRPC")[:7] == [
        *("88.70", "88.73", "+0.03", "1.03", "90.00", "89.00", "-1.00")
    ]
    assert "STS-B, Pearson" in table.notes[0]


def test_each_row_says_which_numbers_are_cited(results: Results) -> None:
    columns, rows = glance_at_levels(table_5(results)).records()
    told = {(row[0], row[1]): row[columns.index("source")] for row in rows}
    assert told["3", "Tiny-Encoder"] == (
        "cited: Paper ANN, Paper LAS, Paper E_snn/E_ann; from cited numbers: Paper difference; "
        "computed: Our ANN, Our SNN, Our difference, Our E_snn/E_ann"
    )
    table = glance_at_scores(table_1(results))  # whose numbers of the paper are means over OPT
    columns, rows = table.records()
    told = {row[0]: row[columns.index("source")] for row in rows}
    assert told["PIQA"] == (
        "from cited numbers: Paper ANN, Paper LAS, Paper difference; "
        "computed: Our ANN, Our SNN, Our difference"
    )
    assert told["WSC"] == "from cited numbers: Paper ANN, Paper LAS, Paper difference"
    assert table.notes[0].startswith("From cited numbers: Paper ANN, Paper LAS, Paper difference; ")
    own = glance_at_scores(table_2(results), ".3f")
    columns, rows = own.records()
    told = {row[0]: row[columns.index("source")] for row in rows}
    assert told["held-out Wikipedia, perplexity"] == "computed: Our ANN, Our SNN, Our difference"
    assert str(told["WT"]).startswith("cited: Paper ANN, Paper LAS; from cited numbers: ")
    assert "computed" not in told.values()


@pytest.mark.parametrize("build", [table_1, table_2, table_3])
def test_without_results_the_paper_stands_alone(build: object) -> None:
    table = glance_at_scores(build(Results(())))  # type: ignore[operator]
    assert table.rows
    assert all(row.cells[1] is None and row.cells[5] is None for row in table.rows)

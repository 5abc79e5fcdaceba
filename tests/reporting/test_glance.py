"""The paper's tables at a glance: its pair, ours, and what they differ by."""

from __future__ import annotations

from pathlib import Path

import pytest

from las.reporting.paper.glance import glance_at_levels, glance_at_scores, glance_at_steps
from las.reporting.paper.table_1 import table_1
from las.reporting.paper.table_2 import table_2
from las.reporting.paper.table_3 import table_3
from las.reporting.paper.table_5 import table_5
from las.reporting.paper.table_6 import table_6
from las.reporting.results import Results, load_results
from las.reporting.table import Table, text

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


@pytest.mark.parametrize("build", [table_1, table_2, table_3])
def test_without_results_the_paper_stands_alone(build: object) -> None:
    table = glance_at_scores(build(Results(())))  # type: ignore[operator]
    assert table.rows
    assert all(row.cells[1] is None and row.cells[5] is None for row in table.rows)

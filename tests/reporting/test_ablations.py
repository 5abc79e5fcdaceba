"""Cells from which a part of the method was taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from las.evaluation.score import Score
from las.reporting.ablated import ablation_of, compared, label, labels
from las.reporting.figures.ablations import ablations_pictures
from las.reporting.report import write_report
from las.reporting.results import load_results
from las.reporting.tables.ablations import ablations
from tests.reporting.conftest import write_cell

Tree = tuple[Path, list[dict[str, str]]]


def answers(accuracy: float) -> list[Score]:
    return [Score("easy-vqa", "acc", True, 0.9, accuracy, 0.01, 0.01, 100, 900, 0.95, 1e-3)]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The whole method at two T, and at the longer one without a part of it."""
    results = tmp_path / "results"
    ablated = {
        "-one-band": (0.87, {"bands": 1}),
        "-naive-attention": (0.2, {"attention": "naive"}),
        "-released": (0.5, {"threshold_rule": "released", "rounding": "floor"}),
    }
    cells = [write_cell(results, "seeing", "vqa", t, 5, answers(0.89)) for t in (16, 10)]
    cells += [
        write_cell(results, "seeing", "vqa", 16, 5, answers(accuracy), name=name, **options)
        for name, (accuracy, options) in ablated.items()
    ]
    return results, cells


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ""),
        ({"bands": 2, "attention": "equivalent", "budgets": {}}, ""),
        ({"bands": 1}, "one band (no OAT)"),
        ({"bands": 6}, "6 bands"),
        ({"bands": 1, "attention": "naive"}, "one band (no OAT), naive attention"),
        ({"budgets": {"exp": [0.1, 0.1]}}, "fewer FS sub-neurons"),
        ({"functions": "flat"}, "one FS neuron for a function"),
        ({"functions": "hierarchical"}, ""),
        ({"rounding": "floor"}, "floor"),
        ({"rounding": "floor", "threshold_rule": "released"}, ""),
        ({"rounding": "floor", "threshold_rule": "paper"}, "floor"),
        ({"rounding": "half_step"}, "rounding: half step"),
        ({"margin": 1.5}, "margin 1.5"),
        ({"margin": 2.0}, ""),
        ({"threshold_rule": "percentile"}, "thresholds by percentile"),
        ({"bands": 1, "rounding": "signed", "budget": 1e-3}, ""),
    ],
)
def test_what_was_taken_out_is_read_off_the_options(options: dict, expected: str) -> None:
    assert ablation_of({"rounding": "nearest"} | options) == expected


def test_they_are_compared_with_the_whole_method_of_the_same_t(tree: Tree) -> None:
    (group,) = compared(load_results(*tree))
    assert {cell.time_steps for cell in group} == {16}
    assert [label(cell) for cell in group] == [
        "LAS",
        "naive attention",
        "one band (no OAT)",
        "the released code's thresholds",
    ]


def test_the_table_has_a_row_for_each(tree: Tree) -> None:
    records = ablations(load_results(*tree)).to_markdown()
    rows = [line for line in records.splitlines() if "easy-VQA" in line]
    assert len(rows) == 4
    assert "LAS" in rows[0] and "89.00" in rows[0]
    assert "naive attention" in rows[1] and "20.00" in rows[1]


def test_two_of_the_same_name_are_told_apart(tree: Tree) -> None:
    results, cells = tree
    again = write_cell(results, "seeing", "vqa", 16, 5, answers(0.8), name="-narrow", bands=1)
    wide = write_cell(results, "seeing", "vqa", 16, 5, answers(0.7), name="-wide", margin=4.0)
    (group,) = compared(load_results(results, [*cells, again, wide]))
    assert labels(group) == [
        *("LAS", "margin 4", "naive attention", "one band (no OAT)"),
        *("one band (no OAT), t16h5-narrow", "the released code's thresholds"),
    ]


def test_a_score_that_only_one_of_them_has_is_listed(tree: Tree) -> None:
    results, cells = tree
    other = [replace(answers(0.5)[0], task="EasyVQA_MCQ")]
    more = write_cell(results, "seeing", "vqa", 16, 5, other, name="-floor", rounding="floor")
    rows = ablations(load_results(results, [*cells, more])).rows
    assert [row.cells[3] for row in rows if row.cells[1] == "easy-VQA, multiple choice"] == [
        "floor"
    ]


@pytest.mark.usefixtures("undrawn")
def test_without_the_whole_method_there_is_a_table_and_no_figure(
    tree: Tree, tmp_path: Path
) -> None:
    results, cells = tree
    parts = load_results(results, [c for c in cells if c["neuron"] != "t16h5"])
    assert len(ablations(parts).rows) == 3
    assert ablations_pictures(parts, tmp_path) == []


def test_they_are_in_no_other_table(tree: Tree) -> None:
    results = load_results(*tree)
    assert {cell.neuron for cell in results.cells} == {"t16h5", "t10h5", "t16h5-released"}
    assert {cell.neuron for cell in results.ablations} == {
        "t16h5-one-band",
        "t16h5-naive-attention",
    }


def test_the_figure_is_drawn_and_the_page_has_the_section(tree: Tree, tmp_path: Path) -> None:
    (picture,) = ablations_pictures(load_results(*tree), tmp_path)
    with Image.open(picture.path) as image:
        assert min(image.size) > 200
    page = write_report(*tree, tmp_path / "report").index.read_text()
    assert '<h2 id="ablations">' in page


@pytest.mark.usefixtures("undrawn")
def test_without_such_cells_there_is_no_section(tree: Tree, tmp_path: Path) -> None:
    results, cells = tree
    page = write_report(results, cells[:2], tmp_path / "report").index.read_text()
    assert 'id="ablations"' not in page

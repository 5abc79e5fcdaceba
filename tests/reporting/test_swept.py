"""Sweeps of T and H: which cells they have, their tables, their figure, their file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from las.reporting.figures.swept import sweep_pictures
from las.reporting.results import Made, load_results
from las.reporting.swept import Swept, read_swept, sweeps, swept, write_swept
from las.reporting.table import text
from las.reporting.tables.swept import sweep_tables
from tests.reporting.conftest import text_scores, write_cell

Grid = tuple[Path, list[dict[str, str]]]


@pytest.fixture
def cells(grid: Grid) -> list[Swept]:
    """Of the made-up grid, with a cell in which T and H are both others than the paper's."""
    results, listed = grid
    other = write_cell(results, "tiny-lm", "text", 9, 3, text_scores(9, 3))
    released = {"threshold_rule": "released", "rounding": "floor"}
    ruled = write_cell(
        results, "tiny-lm", "text", 9, 5, text_scores(9, 5), name="-released", **released
    )
    wide = write_cell(results, "tiny-lm", "text", 7, 5, text_scores(7, 5), name="-wide", margin=4.0)
    found = load_results(results, [*listed, other, ruled, wide])
    return swept(replace(found, made=Made(revision="abc", date="2026-11-28")))


def test_one_setting_varies_and_the_other_is_the_paper_s(cells: list[Swept]) -> None:
    model, encoder = sweeps(cells)
    assert (model.name, encoder.name) == ("Tiny-LM <b>", "Tiny-Encoder")
    assert list(model.over("time_steps")) == [8, 10, 12, 16]
    assert list(model.over("levels")) == [1, 5]
    assert list(encoder.over("time_steps")) == [8, 10, 11, 13, 16]
    assert list(encoder.over("levels")) == [1, 3, 5, 7, 10, 12, 15]
    assert {cell.evaluation for cell in cells} == {"text", "similarity"}  # one cell is no sweep


def test_the_loss_is_the_divergence_or_the_error_of_the_hidden_state(cells: list[Swept]) -> None:
    model, encoder = sweeps(cells)
    assert model.over("time_steps")[10].loss == pytest.approx(4.0**2 * 2e-5)
    assert encoder.over("time_steps")[10].kl is None
    assert encoder.over("time_steps")[10].loss == 2.0**-10


def test_tables_have_a_column_for_each_model(cells: list[Swept]) -> None:
    models, loss, score, energy, loss_of_levels, energy_of_levels = sweep_tables(sweeps(cells))
    assert [text(cell) for cell in models.rows[0].cells] == [
        *("Tiny-LM <b>", "held-out Wikipedia", "perplexity", "4,088", "4,088", "18.200"),
        *("abc", "2026-11-28"),
    ]
    assert loss.columns == ("T", "Tiny-LM <b>", "Tiny-Encoder")
    rows = [[text(cell) for cell in row.cells] for row in loss.rows]
    assert rows[:3] == [
        ["8", "5.1e-03", "3.9e-03"],
        ["10", "3.2e-04", "9.8e-04"],
        ["11", "–", "4.9e-04"],
    ]
    assert [text(cell) for cell in score.rows[-1].cells] == ["16", "18.200", "61.20"]
    for table, values in ((energy, 6), (loss_of_levels, 7), (energy_of_levels, 7)):
        assert len(table.rows) == values
    assert sweep_tables([]) == []


def test_two_evaluations_of_one_model_are_told_apart(cells: list[Swept]) -> None:
    first = cells[0]
    names = [sweep.name for sweep in sweeps([first, replace(first, evaluation="enwik8")])]
    assert names == ["Tiny-LM <b>, text", "Tiny-LM <b>, enwik8"]


def test_the_figure_is_drawn(cells: list[Swept], tmp_path: Path) -> None:
    (picture,) = sweep_pictures(sweeps(cells), tmp_path)
    with Image.open(picture.path) as image:
        assert len(image.convert("RGB").getcolors(2**24)) > 50
    assert sweep_pictures([], tmp_path) == []


def test_the_file_gives_back_what_was_written(cells: list[Swept], tmp_path: Path) -> None:
    file = tmp_path / "sweeps.csv"
    write_swept(file, cells)
    read = read_swept(file)
    assert [cell.loss for cell in read] == [pytest.approx(cell.loss, rel=1e-5) for cell in cells]
    assert [replace(cell, ann=0, snn=0, kl=0, hidden_error=0, energy=0) for cell in read] == [
        replace(cell, ann=0, snn=0, kl=0, hidden_error=0, energy=0) for cell in cells
    ]
    write_swept(tmp_path / "again.csv", read)
    assert (tmp_path / "again.csv").read_bytes() == file.read_bytes()


def test_another_file_is_an_error(cells: list[Swept], tmp_path: Path) -> None:
    file = tmp_path / "sweeps.csv"
    write_swept(file, cells)
    header, row, *_ = file.read_text().splitlines()
    for bad in ("a,b\n1,2\n", f"{header}\n{row.replace('text,8', 'text,eight')}\n"):
        file.write_text(bad)
        with pytest.raises(ValueError, match="does not hold sweeps"):
            read_swept(file)

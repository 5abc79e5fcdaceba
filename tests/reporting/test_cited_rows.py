"""The paper's numbers, spot-checked."""

from __future__ import annotations

import pytest

from las.reporting.paper.cited_rows import cited_table


def cell(number: int, model: str, column: str, time_steps: str | None = None) -> str | None:
    table = cited_table(number)
    for row in table.rows:
        record = dict(zip(table.columns, row, strict=True))
        if record["Model"] == model and time_steps in (None, record.get("T")):
            return record[column]
    raise AssertionError(f"Table {number} has no row {model}")


@pytest.mark.parametrize(
    ("number", "model", "column", "value"),
    [
        (1, "OPT-66B", "WSC", "82.78"),
        (1, "LAS (OPT-66B)", "WSC", "85.71"),
        (1, "BLOOM-176B", "WSC", None),
        (2, "LAS (GPT-2)", "WT", "16.79"),
        (2, "GPT-2", "En8", "0.96"),
        (3, "BERT", "STS-B", "88.70/88.48"),
        (3, "LAS (BERT)", "SST-2", "92.66"),
        (3, "SNN-TextCNN", "QQP", "0.00*"),
        (4, "Qwen2-VL-7B", "HallusionBench", "130.66"),
        (4, "LAS (LLaVA-1.5-7B)", "MME", "1613.04"),
        (5, "BERT", "H=15", "88.78"),
    ],
)
def test_a_number_of_the_paper(number: int, model: str, column: str, value: str | None) -> None:
    assert cell(number, model, column) == value


def test_numbers_of_the_time_step_sweep() -> None:
    assert cell(6, "LAS (BERT)", "QQP", "10") == "68.64"
    assert cell(6, "LAS (BERT)", "MNLI-m", "10") is None
    assert cell(6, "LAS (BERT)", "RTE", "11") == "47.65"
    assert cell(6, "LAS (BERT)", "SST-2", "16") == "92.55"


def test_every_row_of_the_paper_is_there() -> None:
    assert [len(cited_table(number).rows) for number in range(1, 7)] == [16, 9, 14, 4, 2, 5]


def test_the_energies_of_the_level_sweep() -> None:
    energies = [float(value or "nan") for value in cited_table(5).rows[1][3:]]
    assert energies == [1.03, 0.63, 0.48, 0.50, 0.41, 0.43, 0.39]


@pytest.mark.parametrize("number", range(1, 7))
def test_a_cited_table_says_where_it_is_from(number: int) -> None:
    assert cited_table(number).footnotes[0].endswith(f", Table {number}.")


def test_a_slip_of_the_paper_is_noted() -> None:
    assert any("92.66" in note and "92.55" in note for note in cited_table(3).notes)

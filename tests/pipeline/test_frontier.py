"""The page about budgets says what its data say."""

from __future__ import annotations

import json

import pytest

from pipeline import frontier

DATA = json.loads(frontier.DATA.read_text(encoding="utf-8"))


def test_the_table_on_the_page_is_made_from_the_data() -> None:
    assert frontier.render(DATA) in frontier.PAGE.read_text(encoding="utf-8")


def test_the_data_tell_what_they_are_of() -> None:
    assert DATA["revision"]
    assert len(DATA["date"]) == 10
    titles = {row["title"] for row in DATA["rows"]}
    assert {"SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"} < titles
    assert len({frontier.neurons(row) for row in DATA["rows"]}) == len(DATA["rows"])
    for row in DATA["rows"]:
        assert 0 < row["energy_last"] < row["energy"]
        assert row["digits_last"] < row["digits"]
        assert row["items"].keys() == row["scores"].keys()


ROW = {
    "title": "Tiny",
    "metric": "perplexity",
    "time_steps": 24,
    "levels": 16,
    "budget": 1e-3,
    "predicted": 4e-4,
    "measured": 9e-4,
    "scores": {"wikipedia": [20.0, 20.01]},
    "items": {"wikipedia": 100},
    "kl": 3e-4,
    "energy": 0.25,
    "energy_last": 0.23,
    "digits": 0.6,
    "digits_last": 0.5,
}


def test_rows_and_what_follows_from_them() -> None:
    """Measured is 2.25 times what was predicted; one loses 0.05 % of the perplexity, one 0.5 %."""
    other = ROW | {"levels": 1, "digits": 0.4, "scores": {"wikipedia": [20.0, 20.1]}}
    table = frontier.render({"revision": "abc", "date": "2026-11-28", "rows": [ROW, other]})
    assert (
        "| Tiny | 24 | 16 | 0.001 | 4.0e-04 | 9.0e-04 | 3.0e-04 | +0.050 % | 0.250 | 0.230 |"
        in table
    )
    assert "over the predicted one is 2.25 to 2.25 for Tiny (0 of 2 within" in table
    assert "over the budget is 0.30 to 0.30 for Tiny (0 of 2 within" in table
    assert "ratio by digits is 0.600, of the neuron with H = 16" in table


def test_of_a_classifier_the_share_of_right_answers_is_what_changes() -> None:
    row = ROW | {"metric": "acc", "scores": {"glue_sst2": [0.84, 0.8375]}}
    table = frontier.render({"revision": "abc", "date": "2026-11-28", "rows": [row]})
    assert "| 3.0e-04 | -0.25 points |" in table
    assert "perplexity" not in table


def test_an_encoder_has_no_loss_on_other_text() -> None:
    scores = {"a": [70.0, 70.1], "b": [50.0, 49.95]}
    row = ROW | {"metric": "spearman", "kl": None, "scores": scores}
    table = frontier.render({"revision": "abc", "date": "2026-11-28", "rows": [row]})
    assert "| 9.0e-04 |  | ≤ 0.10 points |" in table
    assert "perplexity" not in table


@pytest.mark.parametrize("row", DATA["rows"], ids=lambda row: f"{row['title']}-{row['budget']}")
def test_what_was_measured_on_calibration_text_is_within_the_budget(row) -> None:
    assert row["measured"] <= row["budget"]

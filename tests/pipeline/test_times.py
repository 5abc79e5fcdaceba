"""Times of the compared systems, which no file of the published run holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import times
from tests.reporting.conftest import text_scores, write_baseline


def timed(results: Path, method: str, timings: list[dict[str, object]]) -> None:
    cell = write_baseline(results, "tiny-lm", "text", method, 8, text_scores(8, 1))
    file = results / cell["model"] / cell["neuron"] / cell["evaluation"] / "timings.json"
    file.write_text(json.dumps(timings))


def test_a_row_for_each_task_that_was_timed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    seconds = {"seconds_ann": 2.0, "seconds_snn": 31.0}
    timings = [
        {"task": "lee", "metric": "spearman", **seconds},
        {"task": "lee", "metric": "pearson"},  # shares the passes of the one before
        {"task": "simlex999", "metric": "spearman", "seconds_ann": 0.0, "seconds_snn": 1.0},
    ]
    timed(tmp_path / "results", "cos", timings)
    write_baseline(tmp_path / "results", "tiny-lm", "text", "srp", 8, text_scores(8, 1))
    times.main(["--root", str(tmp_path)])
    rows = [line for line in capsys.readouterr().out.splitlines() if "tiny" in line.lower()]
    assert len(rows) == 1
    assert [cell.strip() for cell in rows[0].split("|")][3:-1] == [
        "cos",
        "8",
        "2.00",
        "31.00",
        "15.5",
    ]


def test_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        times.main(["--root", str(tmp_path)])
    assert "no compared systems" in capsys.readouterr().err

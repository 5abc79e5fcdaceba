"""las evaluate."""

from __future__ import annotations

import pytest

from tests.cli.running import run


def test_evaluate_sets_the_two_models_side_by_side(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(
        capsys,
        *("evaluate", files["llama"], "--adapter", files["llama-las"]),
        *("--text", files["text"], "--windows", "3", "--length", "40"),
    )
    assert status == 0
    values = {line[:22].strip(): line[22:].strip() for line in out.splitlines()}
    assert float(values["perplexity, SNN"]) == pytest.approx(
        float(values["perplexity, ANN"]), rel=1e-2
    )
    assert values["tokens predicted"] == str(3 * 39)
    assert float(values["KL(ANN || SNN)"].split()[0]) < 1e-3
    assert values["same top-1 token"].endswith("%")


def test_evaluate_after_each_time_step(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(
        capsys,
        *("evaluate", files["llama"], "--adapter", files["llama-las"], "--each-step"),
        *("--text", files["text"], "--windows", "2", "--length", "40"),
    )
    assert status == 0
    rows = [line.split() for line in out.splitlines()[2:]]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert float(rows[-1][2]) < 1e-3 < float(rows[0][2])

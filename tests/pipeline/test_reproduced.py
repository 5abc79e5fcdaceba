from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import reproduced

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write what a run leaves: dvc.lock, a metrics file, and a folder of results."""

    def write(snn: float = 4.0, results: str = "aa", **more: Any) -> None:
        metrics = {"t16h5": {"text": {"wiki": {"perplexity": {"ann": 5.0, "snn": snn, **more}}}}}
        (tmp_path / "metrics").mkdir(exist_ok=True)
        (tmp_path / "results" / "m").mkdir(parents=True, exist_ok=True)
        text = json.dumps(metrics)
        (tmp_path / "metrics" / "m.json").write_text(text)
        outs = [
            {"path": "metrics/m.json", "md5": str(hash(text))},
            {"path": "results/m", "md5": results},
        ]
        stages = {
            "evaluate@m": {"cmd": "x", "outs": outs},
            "report": {"cmd": "y", "outs": [{"path": "reports", "md5": f"{snn}{results}"}]},
        }
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))

    return write


def commit(root: Path) -> None:
    for command in (
        ["init", "--quiet"],
        ["add", "dvc.lock", "metrics"],
        ["-c", "user.name=n", "-c", "user.email=e@x", "commit", "--quiet", "-m", "published"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)


def test_the_same_run_is_said_to_be_the_same(run: Run, tmp_path: Path):
    run()
    commit(tmp_path)
    assert reproduced.verdict(tmp_path) == (
        "This machine reproduced the published run exactly: all 2 outputs are the same, byte for"
        " byte."
    )


def test_the_largest_relative_difference_is_named(run: Run, tmp_path: Path):
    run(snn=4.0, kl=1.0)
    commit(tmp_path)
    run(snn=5.0, kl=1.01, results="bb")
    text = reproduced.verdict(tmp_path)
    assert "2 of 2 outputs differ (of evaluate)" in text
    assert "2 figures in metrics/ differ. The largest relative difference is 0.25" in text
    assert "t16h5 / text / wiki / perplexity / snn in metrics/m.json was 4.0 and is 5.0" in text


def test_other_bytes_with_the_same_figures_are_told_apart(run: Run, tmp_path: Path):
    run()
    commit(tmp_path)
    run(results="bb")
    text = reproduced.verdict(tmp_path)
    assert "1 of 2 outputs differ" in text
    assert "Every figure in metrics/ is the same" in text


def test_a_figure_that_is_missing_differs_most(run: Run, tmp_path: Path):
    run(snn=4.0, kl=1.0)
    commit(tmp_path)
    run(snn=5.0)
    assert "kl in metrics/m.json was 1.0 and is None" in reproduced.verdict(tmp_path)


def test_a_clone_where_nothing_ran_has_reproduced_nothing(run: Run, tmp_path: Path):
    run()
    commit(tmp_path)
    (tmp_path / "results" / "m").rmdir()
    with pytest.raises(LookupError, match=r"1 of 2 published outputs are not here, results/m"):
        reproduced.verdict(tmp_path)


def test_without_a_published_run_there_is_nothing_to_compare_with(run: Run, tmp_path: Path):
    run()
    with pytest.raises(LookupError, match=r"no Git repository with a committed dvc\.lock"):
        reproduced.verdict(tmp_path)


def test_relative_differences():
    differences = reproduced.differences("f", {"a": 2.0, "b": 0.0}, {"a": 1.0, "b": 1.0, "c": 1})
    assert [(d.key, d.relative) for d in differences] == [
        ("a", 0.5),
        ("b", math.inf),
        ("c", math.inf),
    ]

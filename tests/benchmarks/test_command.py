"""`python -m benchmarks` as its user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.children import run_child
from benchmarks.environment import MALLOC, ROOT, measuring_environment


def arguments(settings, *more):
    directories = [
        f"--{name}={getattr(settings, name)}" for name in ("models", "results", "output")
    ]
    return [*directories, "--threads=1", "--repeats=1", *more]


@pytest.mark.slow
def test_it_measures_stores_and_prints(trained):
    options = arguments(trained, "--only", "fitting", "gpu")
    command = [sys.executable, "-m", "benchmarks", *options]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    stored = json.loads((trained.output / "fitting.json").read_text())
    assert stored["environment"]["malloc"] == MALLOC
    assert stored["environment"]["repeats"] == 1
    assert "| fitting | minilm-l6 | thresholds |" in result.stdout
    assert (trained.output / "table.md").read_text() in result.stdout


def test_missing_models_are_named_with_what_makes_them(settings):
    with pytest.raises(SystemExit) as stopped:
        main(arguments(settings, "--only", "generation"))
    assert str(settings.model("smollm2-135m")) in str(stopped.value)
    assert "make repro" in str(stopped.value)


def test_missing_adapters_are_named(settings):
    settings.model("smollm2-135m").mkdir(parents=True)
    with pytest.raises(SystemExit, match="adapter is missing"):
        main(arguments(settings, "--only", "generation"))


def test_stored_records_are_rendered_without_models(record, settings, capsys):
    record.write(settings.output)
    main(arguments(settings, "--table"))
    assert "| forward | 1 x 512 | SNN / ANN | **1.25** |" in capsys.readouterr().out
    assert {path.name for path in settings.output.iterdir()} == {
        "forward.json",
        "forward.svg",
        "table.md",
    }


def test_nothing_to_render_is_said(settings):
    with pytest.raises(SystemExit, match="python -m benchmarks"):
        main(arguments(settings, "--table"))


def test_what_the_user_set_stays(monkeypatch):
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "7")
    assert measuring_environment()["MALLOC_MMAP_MAX_"] == "7"


def test_a_child_that_fails_says_why():
    with pytest.raises(RuntimeError, match="no_such_child"):
        run_child("no_such_child", {})

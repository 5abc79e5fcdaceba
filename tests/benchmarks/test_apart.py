from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from benchmarks.apart import Measurement, apart, in_one_line, kept
from benchmarks.records import Case, read_records
from benchmarks.worker import store


def said(text: str) -> list[Case]:
    return [Case(text, {"ann": [1.0]})]


def fails() -> list[Case]:
    raise ValueError("a | of a table\nand " + 99 * "much in between " + "the end")


def dies() -> list[Case]:
    os.kill(os.getpid(), signal.SIGKILL)
    return said("never")


def hangs() -> list[Case]:
    time.sleep(600)
    return said("never")


def some_fail(failed: frozenset[str]) -> Iterator[Measurement]:
    yield "first", lambda: said("first")
    yield "fails", fails
    yield "dies", dies
    yield "last", lambda: said(f"last, after {', '.join(sorted(failed))}")


def one_hangs(failed: frozenset[str]) -> Iterator[Measurement]:
    yield "hangs", hangs


def test_an_error_and_the_end_of_a_process_cost_no_other_case() -> None:
    """A new process is told what has failed."""
    first, error, end, last = apart(some_fail, threads=1, patience=60)
    assert (first.name, first.unmeasured) == ("first", None)
    assert error.unmeasured is not None
    assert error.unmeasured.startswith("failed: ValueError: a / of a table and much")
    assert "the end (apart.py:" in error.unmeasured
    assert end.unmeasured == "failed: its process ended with -9"
    assert last.name == "last, after dies, fails"


def test_a_case_that_never_ends_is_given_up() -> None:
    (case,) = apart(one_hangs, threads=1, patience=1)
    assert case.unmeasured == "failed: it took more than 1 s"


def test_a_gpu_that_answers_no_more_breaks_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("benchmarks.apart._wait", broken)
    outcome = kept("asynchronous", lambda: said("looks well"))
    assert (outcome.failed, outcome.broken) == (True, True)
    assert "illegal memory access" in str(outcome.cases[0].unmeasured)


def test_the_last_places_of_an_error_are_named() -> None:
    with pytest.raises(ValueError) as caught:
        fails()
    line = in_one_line(caught.value)
    assert line.endswith(" fails)")
    assert len(line) < 600


def test_what_was_measured_before_the_end_is_written(settings) -> None:
    def interrupted(_) -> Iterator[Case]:
        yield from said("first")
        yield from said("second")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store("gpu", settings, interrupted)
    (record,) = read_records(settings.output, ["gpu"])
    assert [case.name for case in record.cases] == ["first", "second"]
    assert record.environment["threads"] > 0

"""Files and directories are whole: the old one or the new one, also after `kill -9`."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from las.files import atomic, exchange
from las.files.atomic import atomic_directory, atomic_file, scratch_directory

KILLS = 40
SIZE = 2**16


def write_file(target: Path, text: str) -> None:
    with atomic_file(target) as partial:
        partial.write_text(text * SIZE)


def write_directory(target: Path, text: str) -> None:
    with atomic_directory(target) as partial:
        for name in "abcd":
            (partial / name).write_text(text * SIZE)


def read(target: Path) -> set[str]:
    """What was written to `target`, by the letters that it holds."""
    files = sorted(target.iterdir()) if target.is_dir() else [target]
    if target.is_dir():
        assert [file.name for file in files] == list("abcd")
    contents = [file.read_text() for file in files]
    assert all(len(content) == SIZE for content in contents)
    return {letter for content in contents for letter in content}


def for_ever(write: Callable[[Path, str], None], target: Path, begun: Event) -> None:
    begun.set()
    while True:
        write(target, "x")
        write(target, "y")


@pytest.mark.parametrize("write", [write_file, write_directory])
def test_a_killed_process_leaves_the_old_or_the_new(tmp_path, write):
    target = tmp_path / "target"
    write(target, "x")
    generator = random.Random(0)
    context = multiprocessing.get_context("fork")
    left = 0
    for _ in range(KILLS):
        begun = context.Event()
        process = context.Process(target=for_ever, args=(write, target, begun))
        process.start()
        assert begun.wait(60)
        time.sleep(generator.uniform(0, 0.03))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert read(target) in ({"x"}, {"y"})
        left += len(list(tmp_path.iterdir())) - 1
    assert left > 0  # otherwise no process was killed in the middle
    write(target, "z")
    assert read(target) == {"z"}
    assert list(tmp_path.iterdir()) == [target]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    with atomic_file(tmp_path / "one") as one:
        one.write_text("one")
        process = multiprocessing.get_context("fork").Process(
            target=write_file, args=(tmp_path / "other", "x")
        )
        process.start()
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "one").read_text() == "one"
    assert read(tmp_path / "other") == {"x"}


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "scores.json"
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as file:
        file.write_text("half")
        raise KeyboardInterrupt
    assert not target.exists()
    with atomic_file(target) as file:
        file.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]


def test_an_interruption_leaves_a_directory_as_it_was(tmp_path):
    write_directory(tmp_path / "target", "x")
    with pytest.raises(KeyboardInterrupt), atomic_directory(tmp_path / "target") as partial:
        (partial / "a").write_text("y")
        raise KeyboardInterrupt
    assert read(tmp_path / "target") == {"x"}
    assert list(tmp_path.iterdir()) == [tmp_path / "target"]


def test_without_the_systems_help_directories_are_exchanged_in_three_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "_exchange_at_once", lambda one, other: False)
    write_directory(tmp_path / "target", "x")
    write_directory(tmp_path / "target", "y")
    assert read(tmp_path / "target") == {"y"}
    assert list(tmp_path.iterdir()) == [tmp_path / "target"]


def test_without_locks_nobodys_files_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("las.files.lock.fcntl", None)
    with scratch_directory(tmp_path) as scratch:
        write_file(tmp_path / "target", "x")
        assert scratch.is_dir()
    assert [file.name for file in tmp_path.iterdir()] == ["target"]
    assert not list(tmp_path.glob(f"{atomic.PREFIX}*"))

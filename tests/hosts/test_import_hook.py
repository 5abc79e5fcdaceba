"""Our code runs around the import of one module, and of no other; nothing of it stays there."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from las.hosts.import_hook import around_import

Begun = list[str]


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begun]:
    """What happened, in a place with two modules, the first of which has its import watched."""
    (tmp_path / "watched_module.py").write_text("value = 1")
    (tmp_path / "other_module.py").write_text("value = 2")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    events: Begun = []

    def execute(module: Callable[[], None]) -> None:
        events.append("before")
        module()
        events.append("after")

    around_import("watched_module", execute)
    yield events
    for name in ("watched_module", "other_module"):
        sys.modules.pop(name, None)


def test_it_runs_around_the_import_and_leaves_no_trace_on_the_module(begun: Begun) -> None:
    watched = importlib.import_module("watched_module")
    other = importlib.import_module("other_module")
    assert begun == ["before", "after"]
    assert (watched.value, other.value) == (1, 2)
    assert type(watched.__loader__) is type(other.__loader__)
    assert type(watched.__spec__.loader) is type(other.__spec__.loader)  # type: ignore[union-attr]


def test_another_module_is_left_alone(begun: Begun) -> None:
    importlib.import_module("other_module")
    assert begun == []


def test_looking_for_a_module_is_no_import(begun: Begun) -> None:
    spec = importlib.util.find_spec("watched_module")
    assert spec is not None and spec.origin is not None
    assert begun == []
    assert spec.loader.get_source("watched_module") == "value = 1"  # type: ignore[union-attr]


def test_an_import_that_failed_can_be_repeated(begun: Begun, tmp_path: Path) -> None:
    file = tmp_path / "watched_module.py"
    file.write_text("raise ValueError('not yet')")
    with pytest.raises(ValueError, match="not yet"):
        importlib.import_module("watched_module")
    file.write_text("value = 3  # longer than before, so that no cached bytecode is taken for it")
    assert importlib.import_module("watched_module").value == 3
    assert begun == ["before", "before", "after"]


def test_a_module_that_is_not_there_is_not_found(begun: Begun) -> None:
    around_import("no_such_module", lambda module: module())
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module("no_such_module")

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from las.errors import AssetError
from las.files.contents import keep_checksums
from pipeline import records
from pipeline.records import Record, code_of, content_digest


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two sources, an input and an output."""
    monkeypatch.setattr(records, "ROOT", tmp_path)
    records._digest_of_code.cache_clear()
    for name in ("src/las/a/one.py", "pipeline/two.py", "data/in/x.txt", "out/y.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def record(root: Path, levels: int = 5) -> Record:
    records._digest_of_code.cache_clear()  # as in another process
    return Record.of(
        [root / "out" / "y.json"],
        config={"levels": levels},
        inputs=[root / "data" / "in"],
        code=["src/las/a", "pipeline/two.py"],
    )


def test_what_was_made_and_kept_holds(root: Path):
    assert not record(root).holds()
    record(root).keep()
    assert record(root).holds()
    assert (root / "out" / "y.json.record.json").exists()


def test_another_time_or_place_changes_nothing(root: Path, monkeypatch):
    record(root).keep()
    for path in root.rglob("*.*"):
        os.utime(path, (1, 1))
    (root / "src" / "las" / "a" / "__pycache__").mkdir()
    (root / "src" / "las" / "a" / "__pycache__" / "one.pyc").write_text("compiled")
    moved = root.rename(root.with_name("elsewhere"))
    monkeypatch.setattr(records, "ROOT", moved)
    assert record(moved).holds()


@pytest.mark.parametrize(
    "name", ["src/las/a/one.py", "pipeline/two.py", "data/in/x.txt", "out/y.json"]
)
def test_it_does_not_hold_once_a_file_has_changed(root: Path, name: str):
    record(root).keep()
    (root / name).write_text("new text")
    assert not record(root).holds()


@pytest.mark.parametrize("name", ["src/las/a/new.py", "data/in/new.txt"])
def test_it_does_not_hold_once_a_file_was_added(root: Path, name: str):
    record(root).keep()
    (root / name).write_text("")
    assert not record(root).holds()


def test_it_does_not_hold_for_another_configuration(root: Path):
    record(root).keep()
    assert not record(root, levels=7).holds()


def test_it_does_not_hold_without_its_outputs(root: Path):
    record(root).keep()
    (root / "out" / "y.json").unlink()
    assert not record(root).holds()


def test_a_damaged_record_does_not_hold(root: Path):
    record(root).keep()
    (root / "out" / "y.json.record.json").write_text('{"made_from"')
    assert not record(root).holds()


def test_a_folder_is_told_by_names_and_contents(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    first = content_digest(tmp_path / "a")
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "z")
    assert content_digest(tmp_path / "a") != first
    (tmp_path / "a" / "z").rename(tmp_path / "a" / "x")
    assert content_digest(tmp_path / "a") == first


def test_the_code_of_a_stage_is_what_dvc_yaml_names():
    code = code_of("convert")
    assert {"pipeline/convert.py", "src/las/fitting"} <= set(code)
    assert not set(code) & set(records.NO_FIGURE)
    assert all(path.startswith(("src/", "pipeline/")) for path in code)


def test_a_record_is_the_same_in_every_run(root: Path):
    record(root).keep()
    path = root / "out" / "y.json.record.json"
    first = path.read_bytes()
    record(root).keep()
    assert path.read_bytes() == first
    assert set(json.loads(first)["made_from"]) == {"configuration", "code", "data/in"}


def test_a_damaged_input_is_an_error(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "text").write_text("a text")
    keep_checksums(data)
    Record.of([tmp_path / "out"], config={}, inputs=[data], code=[])
    (data / "text").write_text("a test")
    with pytest.raises(AssetError, match=r"text in .*data is missing or changed"):
        Record.of([tmp_path / "out"], config={}, inputs=[data], code=[])

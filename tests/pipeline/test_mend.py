"""What DVC writes in place is whole again after it was killed while it wrote."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest
from dvc.rwlock import SCHEMA
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import load_yaml

from las.files.lock import held
from pipeline.mend import mend
from pipeline.paths import ROOT

LOCK = (ROOT / "dvc.lock").read_text()[:3000].rpartition("\n  ")[0] + "\n"
BUSY = {"read": {"/data": [{"pid": 1, "cmd": "dvc repro"}]}, "write": {}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    for guard in ("lock", "rwlock.lock"):
        (tmp_path / ".dvc" / "tmp" / guard).touch()
    return tmp_path


def readable(file: Path) -> bool:
    """Whether DVC reads it."""
    try:
        COMPILED_LOCKFILE_SCHEMA(load_yaml(str(file)))
    except Exception:
        return False
    return True


def test_whatever_was_written_of_the_lock_file_dvc_reads_what_is_left(root: Path) -> None:
    """Many beginnings of the file are no lock file, others are one of fewer stages: they stay."""
    file = root / "dvc.lock"
    mended = 0
    for written in range(0, len(LOCK), 97):
        file.write_text(LOCK[:written])
        whole = readable(file)
        said = [*mend(root)]
        assert (said == []) == whole
        assert file.exists() == whole
        mended += not whole
    assert mended > 5


def test_the_lock_file_of_the_last_commit_comes_back(root: Path) -> None:
    for command in (
        ["init", "--quiet"],
        ["add", "dvc.lock"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "Run"],
    ):
        (root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
        subprocess.run(["git", *command], cwd=root, check=True)
    (root / "dvc.lock").write_text("schema: '2.0'\nsta")
    assert [*mend(root)] == [
        "dvc.lock was half written, and is that of the last commit again; finished cells are kept"
    ]
    assert (root / "dvc.lock").read_text() == "schema: '2.0'\nstages: {}\n"


@pytest.mark.parametrize("written", range(0, 40, 13))
def test_half_a_list_of_processes_is_removed(root: Path, written: int) -> None:
    file = root / ".dvc" / "tmp" / "rwlock"
    file.write_text(json.dumps(BUSY)[:written])
    assert [*mend(root)] == [".dvc/tmp/rwlock was half written, and is removed"]
    assert not file.exists()


def test_what_is_whole_or_missing_stays(root: Path) -> None:
    assert [*mend(root)] == []
    text = json.dumps(SCHEMA(BUSY))
    (root / ".dvc" / "tmp" / "rwlock").write_text(text)
    (root / "dvc.lock").write_text((ROOT / "dvc.lock").read_text())
    assert [*mend(root)] == []
    assert (root / ".dvc" / "tmp" / "rwlock").read_text() == text
    assert (root / "dvc.lock").read_text() == (ROOT / "dvc.lock").read_text()


def test_a_dvc_that_is_just_writing_is_waited_for(root: Path) -> None:
    file = root / "dvc.lock"
    with held(root / ".dvc" / "tmp" / "lock"):
        file.write_text("schema: '2.0'\nsta")
        mending = threading.Thread(target=lambda: [*mend(root)])
        mending.start()
        mending.join(0.3)
        assert mending.is_alive() and file.exists()
        file.write_text("schema: '2.0'\nstages: {}\n")
    mending.join(10)
    assert file.read_text() == "schema: '2.0'\nstages: {}\n"

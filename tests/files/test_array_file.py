from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from las.files.array_file import DamagedFileError, read, write

HEADER = {"sites": ["α", "b"], "T": 16}


def arrays() -> dict[str, np.ndarray]:
    return {"x": np.linspace(0, 1, 7), "a|b": np.array([[1e-300, -2.5]]), "none": np.empty(0)}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "f", "form", HEADER, arrays())
    header, found = read(tmp_path / "folder" / "f", "form")
    assert header == HEADER
    assert found.keys() == arrays().keys()
    assert all(np.array_equal(found[name], array) for name, array in arrays().items())


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    written = set()
    for _ in range(30):  # safetensors alone would write one of two orders, by chance
        write(tmp_path / "f", "form", HEADER, arrays())
        written.add((tmp_path / "f").read_bytes())
    assert len(written) == 1


def test_arrays_begin_where_they_are_aligned(tmp_path: Path) -> None:
    for length in range(9):
        write(tmp_path / "f", "form", {"text": "x" * length}, arrays())
        content = (tmp_path / "f").read_bytes()
        assert int.from_bytes(content[:8], "little") % 8 == 0
        assert read(tmp_path / "f", "form")[0] == {"text": "x" * length}


def test_another_form_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "f", "form", HEADER, arrays())
    with pytest.raises(DamagedFileError, match="no other file"):
        read(tmp_path / "f", "other")
    (tmp_path / "f").write_bytes((tmp_path / "f").read_bytes()[:-8])
    with pytest.raises(DamagedFileError):
        read(tmp_path / "f", "form")

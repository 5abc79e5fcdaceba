"""Running texts, from a file and from the shards of a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset

from las.data.corpus import read_corpus
from las.errors import AssetError


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes("Grüße,\n\nWelt.\n".encode())
    assert read_corpus(file) == "Grüße,\n\nWelt.\n"


def test_lines_of_a_table_are_joined(tmp_path: Path) -> None:
    Dataset.from_dict({"text": ["", " = A = \n", "b .\n"]}).to_parquet(tmp_path / "test-0.parquet")
    assert read_corpus(tmp_path) == " = A = \nb .\n"


@pytest.mark.parametrize(
    ("last", "read"), [(1, "e"), (2, "e"), (3, "ße"), (4, "ße"), (99, "Grüße")]
)
def test_an_end_never_begins_within_a_character(tmp_path: Path, last: int, read: str) -> None:
    file = tmp_path / "text"
    file.write_bytes("Grüße".encode())
    assert read_corpus(file, last) == read


def test_what_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="put the text there"):
        read_corpus(tmp_path / "nothing")
    with pytest.raises(AssetError, match="holds no"):
        read_corpus(tmp_path)
    Dataset.from_dict({"line": ["a"]}).to_parquet(tmp_path / "test.parquet")
    with pytest.raises(AssetError, match="columns line, and no text"):
        read_corpus(tmp_path)
    (tmp_path / "latin").write_bytes(b"Gr\xfc\xdfe")
    with pytest.raises(AssetError, match="no UTF-8"):
        read_corpus(tmp_path / "latin")
    with pytest.raises(ValueError, match="at least 1"):
        read_corpus(tmp_path / "latin", 0)

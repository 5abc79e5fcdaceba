from __future__ import annotations

from pathlib import Path

import pytest

from las.data.lee import read_lee
from las.data.rated_pairs import RatedPair
from las.data.sts import read_stsb
from las.data.word_pairs import read_word_pairs


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("latin-1"))
    return path


def test_word_pairs_skip_comments_and_keep_repeated_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "w.tsv", "# The set\n# Word 1\tWord 2\nold\tnew\t1.58\nold\tnew\t2\n")
    assert read_word_pairs(path) == [RatedPair("old", "new", 1.58), RatedPair("old", "new", 2.0)]


def test_sentences_may_hold_commas_and_quotation_marks(tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", '"A man, a ""plan"".",A canal.,2.5\n')
    assert read_stsb(path) == [RatedPair('A man, a "plan".', "A canal.", 2.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("old\tnew\n", "line 1"),
        ("a\tb\t1\nold\t\t3\n", "line 2: .*two texts"),
        ("old\tnew\tmuch\n", "line 1"),
        ("old\tnew\tnan\n", "not a number"),
        ("# nothing\n", "no pairs"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_word_pairs(write(tmp_path / "w.tsv", text))


def test_missing_files_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fetch"):
        read_word_pairs(tmp_path / "none.tsv")
    with pytest.raises(FileNotFoundError, match="Lee"):
        read_lee(tmp_path)


def test_lee_pairs_each_two_documents_once(tmp_path: Path) -> None:
    write(tmp_path / "lee.cor", "One \xa31m.\nTwo.\nThree.\n")
    write(tmp_path / "similarities0-1.txt", "1\t0.3\t0.2\n0\t1\t0.5\n0\t0\t1\n")
    assert read_lee(tmp_path) == [
        RatedPair("One £1m.", "Two.", 0.3),
        RatedPair("One £1m.", "Three.", 0.2),
        RatedPair("Two.", "Three.", 0.5),
    ]


def test_a_matrix_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "lee.cor", "One.\nTwo.\nThree.\n")
    write(tmp_path / "similarities0-1.txt", "1\t0.3\n0\t1\n")
    with pytest.raises(ValueError, match="3 x 3"):
        read_lee(tmp_path)

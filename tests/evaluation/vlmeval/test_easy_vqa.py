from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd
import pytest

from las.data.easy_vqa import read_questions
from las.evaluation.vlmeval.easy_vqa import MULTIPLE_CHOICE_SET, YES_OR_NO_SET, export_easy_vqa

LETTERS = list("ABCD")


def exported(directory: Path, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    export_easy_vqa(directory, folder)
    return tuple(
        pd.read_csv(folder / f"{name}.tsv", sep="\t")
        for name in (MULTIPLE_CHOICE_SET, YES_OR_NO_SET)
    )


def test_every_test_question_is_in_one_of_the_sets_with_its_picture_and_answer(shapes, tmp_path):
    choice, closed = exported(shapes, tmp_path / "sets")
    questions = read_questions(shapes, "test")
    answers = [row[row["answer"]] for _, row in choice.iterrows()]
    found = zip(choice["question"], answers, choice["image"], strict=True)
    found = [*found, *zip(closed["question"], closed["answer"], closed["image"], strict=True)]
    assert sorted((q, a.lower(), base64.b64decode(i)) for q, a, i in found) == sorted(
        (q.text, q.answer, q.image.read_bytes()) for q in questions
    )
    for table in (choice, closed):
        assert list(table["index"]) == list(range(len(table)))


def test_the_options_are_different_answers_of_one_kind(shapes, tmp_path):
    choice, _ = exported(shapes, tmp_path / "sets")
    kinds = {"shape": {"circle", "rectangle"}, "color": {"red", "blue"}}
    for _, row in choice.iterrows():
        options = [row[letter] for letter in LETTERS if not pd.isna(row[letter])]
        assert len(options) == len(set(options)) == 2
        assert set(options) == kinds[row["category"]]
        assert [letter for letter in LETTERS if not pd.isna(row[letter])] == ["A", "B"]
    assert set(choice["answer"]) == {"A", "B"}  # the right one has no place of its own


def test_the_export_is_the_same_every_time_and_leaves_nothing_else(shapes, tmp_path):
    exported(shapes, tmp_path / "once")
    exported(shapes, tmp_path / "again")
    exported(shapes, tmp_path / "again")
    files = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert files == [f"{MULTIPLE_CHOICE_SET}.tsv", f"{YES_OR_NO_SET}.tsv"]
    for name in files:
        once, again = (tmp_path / folder / name for folder in ("once", "again"))
        assert once.read_bytes() == again.read_bytes()


def test_missing_questions_are_an_error_that_names_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="easy-VQA"):
        export_easy_vqa(tmp_path, tmp_path / "sets")
    assert not (tmp_path / "sets").exists()

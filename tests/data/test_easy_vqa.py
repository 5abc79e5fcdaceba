from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from las.data.easy_vqa import Question, read_image, read_questions
from las.errors import AssetError


def test_questions_keep_their_order_and_name_their_pictures(shapes: Path) -> None:
    questions = read_questions(shapes, "test")
    listed = json.loads((shapes / "test" / "questions.json").read_text())
    assert questions == [
        Question(text, answer, shapes / "test" / "images" / f"{number}.png")
        for text, answer, number in listed
    ]
    assert all(read_image(question.image).mode == "RGB" for question in questions)


def test_train_and_test_share_no_picture(shapes: Path) -> None:
    train, test = (
        {question.image for question in read_questions(shapes, split)}
        for split in ("train", "test")
    )
    assert train and test and not train & test


def test_a_set_that_was_not_fetched_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fetch"):
        read_questions(tmp_path, "train")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "damaged"),
        (lambda text: '[["what?", "red"]]', "damaged"),
        (lambda text: '[["what?", "red", "seven"]]', "damaged"),
        (lambda text: "{}", "no questions"),
        (lambda text: '[["what?", "red", 999]]', "1 pictures .* missing.*999.png"),
    ],
)
def test_damaged_questions_are_refused(
    shapes: Path, damage: Callable[[str], str], message: str
) -> None:
    path = shapes / "train" / "questions.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(AssetError, match=message):
        read_questions(shapes, "train")


def test_a_picture_that_ends_in_the_middle_is_refused(shapes: Path) -> None:
    path = shapes / "train" / "images" / "0.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(AssetError, match=r"0\.png is damaged"):
        read_image(path)
    path.write_text("no picture")
    with pytest.raises(AssetError, match=r"0\.png is damaged"):
        read_image(path)
    with pytest.raises(FileNotFoundError):
        read_image(shapes / "train" / "images" / "999.png")


@pytest.mark.slow
def test_the_real_set_is_whole(fetched: Callable[..., Path]) -> None:
    directory = fetched("dataset", "easy-vqa")
    train, test = (read_questions(directory, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (38575, 9673)
    assert len({question.image for question in train}) == 4000
    assert len({question.image for question in test}) == 1000
    assert len({question.answer for question in train}) == 13
    assert {read_image(question.image).size for question in test[::100]} == {(64, 64)}

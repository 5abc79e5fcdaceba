"""easy-VQA: pictures of one coloured shape, and questions about them with one-word answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from las.data.rated_pairs import require_file
from las.errors import AssetError

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Question:
    """A question about one picture, and its right answer."""

    text: str
    answer: str
    image: Path

    @property
    def kind(self) -> str:
        """What it asks for: "yes_no", "color" or "shape"."""
        if self.answer in ("yes", "no"):
            return "yes_no"
        return "color" if "color" in self.text else "shape"


def read_questions(directory: Path, split: Split) -> list[Question]:
    """Read the questions of one split, in the order of the file: picture after picture.

    Arguments:
        directory: holds `train` and `test`, each with `questions.json`, a list of [question,
            answer, number of the picture], and `images/<number>.png`.
        split: "train" or "test"; they share no picture.

    Raises:
        FileNotFoundError: `questions.json` is missing.
        AssetError: it is damaged or empty, or a picture that it names is missing.
    """
    path = directory / split / "questions.json"
    require_file(path, f"easy-VQA questions ({split})")
    try:
        questions = [
            Question(str(text), str(answer), path.parent / "images" / f"{number:d}.png")
            for text, answer, number in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, TypeError) as error:
        raise AssetError(f"{path} is damaged ({error}): delete it and fetch it again") from error
    if not questions:
        raise AssetError(f"{path} holds no questions: delete it and fetch it again")
    missing = sorted({q.image for q in questions if not q.image.is_file()})
    if missing:
        raise AssetError(
            f"{len(missing)} pictures that {path} names are missing, the first is {missing[0]}:"
            f" delete {directory} and fetch it again"
        )
    return questions


def read_image(path: Path) -> Image.Image:
    """Read one picture as RGB.

    Raises:
        FileNotFoundError: there is no such file.
        AssetError: it is no picture, or ends in the middle.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise AssetError(f"{path} is damaged ({error}): delete it and fetch it again") from error

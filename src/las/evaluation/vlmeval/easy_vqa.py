"""easy-VQA's questions as two image sets of VLMEvalKit: multiple choice, and yes or no."""

from __future__ import annotations

import base64
import csv
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

import numpy as np

from las.data.easy_vqa import Question, read_questions
from las.files.atomic import atomic_file

MULTIPLE_CHOICE_SET, YES_OR_NO_SET = "EasyVQA_MCQ", "EasyVQA_YORN"

OPTIONS = 4


def export_easy_vqa(directory: Path, folder: Path) -> None:
    """Write the test questions as `folder`/EasyVQA_MCQ.tsv and `folder`/EasyVQA_YORN.tsv.

    Questions with the answer yes or no make the second set. The others ask for a colour or a
    shape; their options are the right answer and others of its kind, at most four in all (there
    are only three shapes), drawn and ordered by a generator with a fixed seed. The columns are
    VLMEvalKit's: index, image (the PNG file in base64), question, A to D, answer, category.

    Arguments:
        directory: of easy-VQA, as `read_questions` takes it.
        folder: of the TSV files; made if it is not there.

    Raises:
        FileNotFoundError, AssetError: easy-VQA is missing or damaged.
    """
    questions = read_questions(directory, "test")
    images = {image: _base64(image) for image in {question.image for question in questions}}
    closed = [question for question in questions if question.kind == "yes_no"]
    opened = [question for question in questions if question.kind != "yes_no"]
    letters = list(ascii_uppercase[:OPTIONS])
    rows = []
    for question, options in zip(opened, _options(opened), strict=True):
        answer = letters[options.index(question.answer)]
        padded = [*options, *[""] * (OPTIONS - len(options))]
        rows.append([images[question.image], question.text, *padded, answer, question.kind])
    columns = ["image", "question", *letters, "answer", "category"]
    _write(folder / f"{MULTIPLE_CHOICE_SET}.tsv", columns, rows)
    rows = [
        [images[question.image], question.text, question.answer.capitalize(), question.kind]
        for question in closed
    ]
    _write(folder / f"{YES_OR_NO_SET}.tsv", ["image", "question", "answer", "category"], rows)


def _options(questions: Sequence[Question]) -> list[list[str]]:
    """The options of each question, in the order in which they are shown."""
    answers: dict[str, set[str]] = {}
    for question in questions:
        answers.setdefault(question.kind, set()).add(question.answer)
    generator = np.random.default_rng(0)
    shown = []
    for question in questions:
        others = sorted(answers[question.kind] - {question.answer})
        drawn = generator.permutation(len(others))[: OPTIONS - 1]
        options = [question.answer, *(others[i] for i in drawn)]
        shown.append([options[i] for i in generator.permutation(len(options))])
    return shown


def _base64(image: Path) -> str:
    return base64.b64encode(image.read_bytes()).decode()


def _write(file: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table with an index; it appears only if it is whole."""
    with atomic_file(file) as partial, partial.open("w", encoding="utf-8", newline="") as content:
        writer = csv.writer(content, delimiter="\t", lineterminator="\n")
        writer.writerow(["index", *columns])
        writer.writerows([index, *row] for index, row in enumerate(rows))

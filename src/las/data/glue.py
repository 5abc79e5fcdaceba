"""The GLUE tasks of Table 3: labelled sentences and pairs of sentences, from local files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from las.data.hashing import position
from las.data.shards import find_shards, read_shards
from las.errors import AssetError

Part = Literal["all", "train", "held-out"]

HELD_OUT_SHARE = 1 / 3
"""Share of a split kept out of training, where a model is trained on a part of that split."""


@dataclass(frozen=True)
class GlueTask:
    """What a task is made of.

    Attributes:
        texts: the columns of its text or texts: the hub's names first, then those of other copies.
        labels: the classes in the order of GLUE's integers; none for a score (regression).
        splits: the split that is scored, under the hub's name and under GLUE's own.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...] = ("validation", "dev")


_PAIR = ("sentence1", "sentence2")

GLUE = {
    "qqp": GlueTask((("question1", "question2"),), ("not_duplicate", "duplicate")),
    "mnli": GlueTask(
        (("premise", "hypothesis"), _PAIR),
        ("entailment", "neutral", "contradiction"),
        ("validation_matched", "dev_matched"),
    ),
    "sst2": GlueTask((("sentence",), ("text",)), ("negative", "positive")),
    "qnli": GlueTask((("question", "sentence"),), ("entailment", "not_entailment")),
    "rte": GlueTask((_PAIR,), ("entailment", "not_entailment")),
    "mrpc": GlueTask((_PAIR,), ("not_equivalent", "equivalent")),
    "stsb": GlueTask((_PAIR,), ()),
}
"""The seven tasks of Table 3, by the hub's names; MNLI is its matched part."""

_LABEL_COLUMNS = ("label", "gold_label", "is_duplicate", "score")


@dataclass(frozen=True)
class LabelledText:
    """One item.

    Attributes:
        texts: the sentence, or the two sentences.
        label: the class as GLUE numbers it, or the score.
    """

    texts: tuple[str, ...]
    label: float


def read_glue(task: str, directory: Path, part: Part = "all") -> list[LabelledText]:
    """Read the validation split of one task.

    Arguments:
        task: a key of `GLUE`.
        directory: holds a folder for each task, named by its key, with files in any of
            `las.data.shards.FORMATS`. Labels are GLUE's integers or the names of the classes.
        part: "all", or the two sides of a split by the hash of an item's first text alone:
            "train" and "held-out" (`HELD_OUT_SHARE` of them).

    Raises:
        ValueError: no such task or part.
        AssetError: the task's files are missing or damaged, or they hold no labels.
    """
    if task not in GLUE:
        raise ValueError(f"no such GLUE task: {task}; there are {', '.join(GLUE)}")
    _check(part)
    folder = directory / task
    rows = read_shards(find_shards(folder, GLUE[task].splits, task))
    columns = _columns(task, rows.column_names, folder)
    *texts, labels = (list(rows[name]) for name in columns)
    items = [
        LabelledText(tuple(item), _label(task, label, folder))
        for *item, label in zip(*texts, labels, strict=True)
    ]
    return part_of(items, part)


def part_of(items: Sequence[LabelledText], part: Part) -> list[LabelledText]:
    """The items of one side of a split, or all of them; see `read_glue`.

    Raises:
        ValueError: no such part.
    """
    _check(part)
    return [item for item in items if part in ("all", side_of(item.texts[0]))]


def _check(part: str) -> None:
    if part not in ("all", "train", "held-out"):
        raise ValueError(f"part is 'all', 'train' or 'held-out', not {part!r}")


def side_of(text: str) -> Part:
    """The side of a split on which the item with this first text lies, for ever."""
    return "held-out" if position(text) < HELD_OUT_SHARE else "train"


def _columns(task: str, found: Sequence[str], folder: Path) -> tuple[str, ...]:
    texts = next((names for names in GLUE[task].texts if set(names) <= set(found)), None)
    label = next((name for name in _LABEL_COLUMNS if name in found), None)
    if texts is None or label is None:
        wanted = " or ".join(", ".join(names) for names in GLUE[task].texts)
        raise AssetError(
            f"{folder} has the columns {', '.join(found)}; {task} needs {wanted},"
            f" and one of {', '.join(_LABEL_COLUMNS)}"
        )
    return (*texts, label)


def _label(task: str, value: Any, folder: Path) -> float:
    names = GLUE[task].labels
    if isinstance(value, str) and normal_name(value) in names:
        return names.index(normal_name(value))
    try:
        label = float(value)
    except (TypeError, ValueError):
        label = -1.0
    if not (label in range(len(names)) if names else 0 <= label <= 5):
        raise AssetError(
            f"{folder} holds the label {value!r}, and {task} has"
            f" {', '.join(names) if names else 'scores from 0 to 5'} (a test split has no labels)"
        )
    return label


def normal_name(name: str) -> str:
    """A class name in lower case, with underscores, as `GLUE` spells it."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")

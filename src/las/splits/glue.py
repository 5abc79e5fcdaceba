"""A split of a GLUE task, train or validation, in a directory of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from las.data.glue import GLUE, LabelledText, normal_name
from las.data.shards import FORMATS, find_shards, read_shards
from las.errors import AssetError

Split = Literal["train", "validation"]

SOURCE = "GLUE's own site has all of it, and the hub's nyu-mll/glue"

_TEXTS = (("#1 String", "#2 String"),)  # MRPC as its authors wrote it, and GLUE after them
_LABELS = ("gold_label", "label", "is_duplicate", "score", "Quality")


def read_split(task: str, directory: Path, split: Split) -> list[LabelledText]:
    """Read one split of a task, in the layout of GLUE's own archives or the hub's.

    Arguments:
        task: a key of `las.data.glue.GLUE`.
        directory: holds a folder for each task, called as here or as by GLUE ("mrpc" or "MRPC",
            "stsb" or "STS-B"), with files in any of `las.data.shards.FORMATS` whose names, or
            those of their folders, begin with the split's ("train"; "validation" or "dev").
        split: which one; MNLI's validation split is its matched part.

    Raises:
        ValueError: no such task or split.
        AssetError: the directory, the task's folder, its file or its labels are missing, or the
            file is damaged; the message says what is wanted and where it comes from.
    """
    if task not in GLUE or split not in ("train", "validation"):
        raise ValueError(
            f"the splits are train and validation of {', '.join(GLUE)}, not {split} of {task}"
        )
    folder = _folder(task, directory)
    names = ("train",) if split == "train" else GLUE[task].splits
    files = [path for path in folder.rglob("*") if path.suffix in FORMATS]
    if not any(part.startswith(names) for path in files for part in path.relative_to(folder).parts):
        there = ", ".join(sorted(path.name for path in files)) or "no data"
        raise AssetError(
            f"{folder} holds {there}; the split {split} of {task} is wanted, as {names[-1]}.tsv, "
            f".jsonl, .parquet or .arrow: {SOURCE}"
        )
    rows = read_shards(find_shards(folder, names, task))
    found = rows.column_names
    columns = next((one for one in (*GLUE[task].texts, *_TEXTS) if set(one) <= set(found)), None)
    label = next((name for name in _LABELS if name in found), None)
    if columns is None or label is None:
        wanted = " or ".join(", ".join(one) for one in GLUE[task].texts)
        raise AssetError(
            f"{folder}: the split {split} has the columns {', '.join(found)}; {task} needs "
            f"{wanted}, and one of {', '.join(_LABELS)}"
        )
    texts = zip(*(rows[name] for name in columns), strict=True)
    return [
        LabelledText(tuple(map(str, item)), _label(task, value, folder))
        for item, value in zip(texts, rows[label], strict=True)
    ]


def _folder(task: str, directory: Path) -> Path:
    """The folder of a task, whichever way its name is spelt."""
    if not directory.is_dir():
        raise AssetError(f"there is no directory {directory} with GLUE's tasks: {SOURCE}")
    folders = sorted(path for path in directory.iterdir() if path.is_dir())
    for folder in folders:
        if normal_name(folder.name).replace("_", "") == task:
            return folder
    there = ", ".join(folder.name for folder in folders) or "no folders"
    raise AssetError(f"{directory} has no folder {task}, but {there}: {SOURCE}")


def _label(task: str, value: Any, folder: Path) -> float:
    """A class as GLUE numbers it, or a score from 0 to 5."""
    names: Sequence[str] = GLUE[task].labels
    if isinstance(value, str) and normal_name(value) in names:
        return names.index(normal_name(value))
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not (number in range(len(names)) if names else 0 <= number <= 5):
        raise AssetError(
            f"{folder} holds the label {value!r}, and {task} has "
            f"{', '.join(names) or 'scores from 0 to 5'} (a test split has no labels)"
        )
    return number

"""The zero-shot tasks: lm-eval's packaged definitions, read from local files or from the hub."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from las.errors import AssetError

if TYPE_CHECKING:
    from datasets import Dataset
    from lm_eval.api.task import Task


@dataclass(frozen=True)
class TaskSource:
    """Where a task lies.

    Attributes:
        definition: its YAML file among lm-eval's packaged tasks.
        folder: its folder in a directory of local data sets, as the hub names set and subset.
        splits: the splits that may be scored, the preferred one first, as lm-eval itself chooses.
    """

    definition: str
    folder: str
    splits: tuple[str, ...]


TASKS = {
    "piqa": TaskSource("piqa/piqa.yaml", "piqa/plain_text", ("validation",)),
    "arc_easy": TaskSource("arc/arc_easy.yaml", "ai2_arc/ARC-Easy", ("test", "validation")),
    "openbookqa": TaskSource(
        "openbookqa/openbookqa.yaml", "openbookqa/main", ("test", "validation")
    ),
    "winogrande": TaskSource(
        "winogrande/default.yaml", "winogrande/winogrande_xl", ("validation",)
    ),
    "copa": TaskSource("super_glue/copa/default.yaml", "super_glue/copa", ("validation",)),
    "rte": TaskSource("glue/rte/default.yaml", "glue/rte", ("validation",)),
    "wsc273": TaskSource("wsc273/default.yaml", "wsc273", ("test",)),
}

_FORMATS = (".arrow", ".parquet", ".jsonl")
_SPLIT = "scored"

# WSC273 as schemas ready to score: two contexts, one continuation, the index of the right context.
_SCHEMA_COLUMNS = {"context_options", "continuation", "gold"}
_SCHEMA_OVERRIDES = {
    "process_docs": None,
    "doc_to_text": "gold",
    "doc_to_target": "continuation",
    "doc_to_choice": "context_options",
    "should_decontaminate": False,
}


def load_tasks(names: Sequence[str], directory: Path | None) -> dict[str, Task]:
    """Load tasks by name.

    Arguments:
        names: keys of `TASKS`.
        directory: holds the folder of each task (see `TaskSource`) with the set's files in arrow,
            parquet or JSON lines; nothing is looked up on the network then. Where a folder holds
            several splits (told apart by the names of files and folders), the preferred one is
            scored. None takes the sets from the hub.

    Raises:
        ValueError: an unknown name, a name given twice, or none.
        AssetError: the directory lacks a task's file.
    """
    from lm_eval.tasks import TaskManager

    if not names:
        raise ValueError("no tasks to score")
    if len(set(names)) < len(names):
        raise ValueError(f"a task is named twice: {', '.join(names)}")
    unknown = sorted(set(names) - set(TASKS))
    if unknown:
        raise ValueError(f"no such task: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    package = importlib.util.find_spec("lm_eval")
    assert package is not None and package.origin is not None
    packaged = Path(package.origin).parent / "tasks"
    with tempfile.TemporaryDirectory(prefix="las-tasks-") as folder:
        for name in names:
            overrides = {} if directory is None else _local_overrides(name, directory)
            definition = _yaml(name, packaged / TASKS[name].definition, overrides)
            Path(folder, f"{name}.yaml").write_text(definition, encoding="utf-8")
        manager = TaskManager(include_path=folder, include_defaults=False)
        tasks: dict[str, Task] = manager.load(list(names))["tasks"]
    for task in tasks.values():
        task.set_config(key="num_fewshot", value=0)
    return tasks


def read_items(paths: Sequence[str], **_: Any) -> dict[str, Dataset]:
    """Read the files of one split; lm-eval calls this by the name in a task's YAML.

    Arrow files are mapped into memory; nothing is copied to a cache or looked up on the network.

    Raises:
        AssetError: a file is damaged, or there are no items.
    """
    import pyarrow.json  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]
    from datasets import Dataset, concatenate_datasets

    shards = []
    for path in paths:
        try:
            if path.endswith(".arrow"):
                shards.append(Dataset.from_file(path))
            elif path.endswith(".parquet"):
                shards.append(Dataset(pyarrow.parquet.read_table(path)))
            else:
                shards.append(Dataset(pyarrow.json.read_json(path)))
        except (OSError, ValueError) as error:
            raise AssetError(
                f"{path} is damaged ({error}): delete it and fetch it again"
            ) from error
    items = concatenate_datasets(shards)
    if not len(items):
        raise AssetError(f"{', '.join(paths)}: no items")
    return {_SPLIT: items}


def _local_overrides(name: str, directory: Path) -> dict[str, Any]:
    paths = _find(name, directory / TASKS[name].folder)
    overrides: dict[str, Any] = {
        "dataset_path": "local",
        "dataset_name": None,
        "dataset_kwargs": {"paths": paths},
        "training_split": None,
        "validation_split": _SPLIT,
        "test_split": None,
    }
    if set(read_items(paths)[_SPLIT].column_names) >= _SCHEMA_COLUMNS:
        overrides |= _SCHEMA_OVERRIDES
    return overrides


def _find(name: str, folder: Path) -> list[str]:
    """The shards of the split to score: a split's own files, or all files if none is named."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in _FORMATS)
    if not files:
        raise AssetError(
            f"no data for the task {name}: {folder} holds no {', '.join(_FORMATS)} file. Fetch the"
            f" data assets, or put the set there as {TASKS[name].splits[0]}.parquet or .jsonl"
        )
    by_split: dict[str | None, list[str]] = {}
    for path in files:
        parts = path.relative_to(folder).parts
        split = next(
            (s for s in ("train", "validation", "test") if any(p.startswith(s) for p in parts)),
            None,
        )
        by_split.setdefault(split, []).append(str(path.resolve()))
    for split in (*TASKS[name].splits, None):
        if split in by_split:
            return by_split[split]
    raise AssetError(
        f"{folder} holds the splits {', '.join(str(split) for split in by_split)} of {name}, but"
        f" {' or '.join(TASKS[name].splits)} is scored"
    )


def _yaml(name: str, definition: Path, overrides: Mapping[str, Any]) -> str:
    """A task file that includes the packaged definition and overrides where its data lie."""
    import yaml

    text = yaml.safe_dump({"include": str(definition), "task": name, **overrides})
    if overrides:
        text += f"custom_dataset: !function {__name__}.{read_items.__name__}\n"
    return text

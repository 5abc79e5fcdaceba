"""The zero-shot tasks: lm-eval's packaged definitions, read from local files or from the hub."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from las.data.shards import find_shards, read_shards

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
        directory: holds the folder of each task (see `TaskSource`) with the set's files (see
            `las.data.shards`); nothing is looked up on the network then. Where a folder holds
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

    Raises as `las.data.shards.read_shards` does.
    """
    return {_SPLIT: read_shards(paths)}


def _local_overrides(name: str, directory: Path) -> dict[str, Any]:
    source = TASKS[name]
    paths = find_shards(directory / source.folder, source.splits, name)
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


def _yaml(name: str, definition: Path, overrides: Mapping[str, Any]) -> str:
    """A task file that includes the packaged definition and overrides where its data lie."""
    import yaml

    text = yaml.safe_dump({"include": str(definition), "task": name, **overrides})
    if overrides:
        text += f"custom_dataset: !function {__name__}.{read_items.__name__}\n"
    return text

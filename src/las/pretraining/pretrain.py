"""One entry for all training tasks: a config's fields to a Hugging Face directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from transformers.utils import PushToHubMixin

from las.files.atomic import atomic_directory
from las.files.contents import keep_checksums
from las.pretraining.classification import train_classifier
from las.pretraining.language_model import train_language_model
from las.pretraining.train import Recipe
from las.pretraining.visual_questions import train_visual_questions

Trained = tuple[PreTrainedModel, PushToHubMixin]
"""A model, and the tokenizer or processor that feeds it; both have `save_pretrained`."""


def pretrain(config: Mapping[str, Any], data_root: Path, target: Path, checkpoints: Path) -> None:
    """Train one model and write it, float32, into `target`: whole or not at all.

    The fields of `config` are `task`, `recipe` (those of `las.pretraining.train.Recipe`) and, by
    the task:

    - "language_model": `dump` (a Wikipedia dump, of which the calibration pages are read),
      `vocabulary`, `window_tokens`, `architecture`: see `train_language_model`.
    - "classification": `encoder` (directory of a pretrained BERT), `directory` (of the GLUE
      tasks), `glue_task`, `max_length`: see `train_classifier`.
    - "visual_questions": `directory` (of easy-VQA, of which the split "train" is read),
      `architecture`, `image_size`, `naming`, `turns`: see `train_visual_questions`.

    Arguments:
        config: the fields; paths in it are relative to `data_root`.
        data_root: where the data sets lie.
        target: the directory to write.
        checkpoints: where an interrupted run goes on from; removed once `target` is written.

    Raises:
        ValueError: an unknown task, or a field is wrong.
        TypeError: a field is missing or unknown.
        FileNotFoundError, AssetError: a data set is missing; the message says what to do.
        TrainingError: see `las.pretraining.train.train`.
    """
    tasks: dict[str, Callable[..., Trained]] = {
        "language_model": _language_model,
        "classification": _classification,
        "visual_questions": _visual_questions,
    }
    fields = dict(config)
    task, recipe = fields.pop("task", None), Recipe(**fields.pop("recipe", {}))
    if task not in tasks:
        raise ValueError(f"task is one of {', '.join(tasks)}, not {task!r}")
    parts = tasks[task](data_root, recipe, checkpoints, **fields)
    with atomic_directory(target) as partial:
        for part in parts:
            part.save_pretrained(partial)
        keep_checksums(partial)
    shutil.rmtree(checkpoints, ignore_errors=True)


def _language_model(
    data_root: Path, recipe: Recipe, checkpoints: Path, *, dump: str, **fields: Any
) -> Trained:
    return train_language_model(data_root / dump, recipe, checkpoints, **fields)


def _classification(
    data_root: Path,
    recipe: Recipe,
    checkpoints: Path,
    *,
    encoder: str,
    directory: str,
    **fields: Any,
) -> Trained:
    return train_classifier(
        data_root / encoder, data_root / directory, recipe, checkpoints, **fields
    )


def _visual_questions(
    data_root: Path,
    recipe: Recipe,
    checkpoints: Path,
    *,
    directory: str,
    naming: Mapping[str, Any],
    **fields: Any,
) -> Trained:
    folder = data_root / directory
    return train_visual_questions(folder, recipe, checkpoints, naming=Recipe(**naming), **fields)

"""A text classifier made of a pretrained BERT encoder and a new head, trained on labelled texts."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from las.data.glue import GLUE, LabelledText, read_glue
from las.pretraining.train import Recipe, train


def train_classifier(
    encoder: Path,
    directory: Path,
    recipe: Recipe,
    checkpoints: Path,
    *,
    glue_task: str,
    max_length: int,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Fine-tune a BERT encoder on the "train" part of a GLUE task's validation split.

    The "held-out" part (`las.data.glue.side_of`) stays unread, to be scored. Pooler and head begin
    anew: an encoder that was trained by mean pooling ships a pooler that took no part in it. The
    word embeddings stay as they are: few items hold few of the words.

    Arguments:
        encoder: directory of the pretrained encoder (float32) and its tokenizer.
        directory: of the GLUE tasks; see `las.data.glue.read_glue`.
        recipe, checkpoints: see `las.pretraining.train.train`; the seed also draws the new weights.
        glue_task: a key of `las.data.glue.GLUE` that has classes.
        max_length: tokens per item; longer ones are cut.

    Returns:
        the model in evaluation mode, whose config names the classes, and its tokenizer.

    Raises:
        ValueError: no such task, or one of scores.
        AssetError: the task's files are missing or damaged.
        TrainingError: see `las.pretraining.train.train`.
    """
    items = read_glue(glue_task, directory, "train")
    labels = GLUE[glue_task].labels
    if not labels:
        raise ValueError(f"{glue_task} has scores, not classes")
    tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = BertForSequenceClassification.from_pretrained(
            encoder,
            dtype=torch.float32,
            local_files_only=True,
            id2label=dict(enumerate(labels)),
            label2id={name: i for i, name in enumerate(labels)},
        )
        pooler = model.bert.pooler.dense
        torch.nn.init.normal_(pooler.weight, std=model.config.initializer_range)
        torch.nn.init.zeros_(pooler.bias)
    model.get_input_embeddings().requires_grad_(False)

    def collate(chosen: list[LabelledText]) -> dict[str, Tensor]:
        columns = [list(column) for column in zip(*(item.texts for item in chosen), strict=True)]
        inputs = tokenizer(
            *columns, padding=True, truncation=True, max_length=max_length, return_tensors="pt"
        )
        return {**inputs, "labels": torch.tensor([int(item.label) for item in chosen])}

    train(model, items, collate, recipe, checkpoints)  # type: ignore[arg-type]
    return model, tokenizer

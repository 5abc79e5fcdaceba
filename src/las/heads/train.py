"""A pretrained BERT encoder with a new head, trained on the whole training split of a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from las.data.glue import GLUE, LabelledText
from las.pretraining.train import Recipe, train


def train_head(
    encoder: Path,
    items: Sequence[LabelledText],
    recipe: Recipe,
    checkpoints: Path,
    *,
    task: str,
    max_length: int,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Fine-tune a BERT encoder on labelled texts: cross entropy, or squared error for scores.

    Pooler and head begin anew, and the word embeddings stay as they are, as in
    `las.pretraining.classification.train_classifier`, which trains on a part of a validation split.

    Arguments:
        encoder: directory of the pretrained encoder (float32) and its tokenizer.
        items: the training split.
        recipe, checkpoints: see `las.pretraining.train.train`; the seed also draws the new weights.
        task: a key of `las.data.glue.GLUE`.
        max_length: tokens per item; longer ones are cut.

    Returns:
        the model in evaluation mode, whose config names the classes (STS-B: one number, the score
        from 0 to 5), and its tokenizer.

    Raises:
        ValueError: there are no items.
        TrainingError: see `las.pretraining.train.train`.
    """
    labels = GLUE[task].labels
    tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
    named = {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = BertForSequenceClassification.from_pretrained(
            encoder,
            dtype=torch.float32,
            local_files_only=True,
            **(named if labels else {"num_labels": 1, "problem_type": "regression"}),
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
        values = [item.label for item in chosen]
        kind = torch.long if labels else torch.float32
        return {**inputs, "labels": torch.tensor(values, dtype=kind)}

    train(model, items, collate, recipe, checkpoints)  # type: ignore[arg-type]
    return model, tokenizer

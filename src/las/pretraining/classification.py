"""A text classifier made of a pretrained BERT encoder and a new head, trained on labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from las.data.glue import LabelledText
from las.pretraining.train import Recipe, train


def train_classifier(
    encoder: Path,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[LabelledText],
    labels: Sequence[str],
    recipe: Recipe,
    checkpoints: Path,
    *,
    max_length: int,
) -> PreTrainedModel:
    """Fine-tune a BERT encoder as a classifier; its pooler and its head begin anew.

    An encoder that was trained by mean pooling ships a pooler that took no part in that training,
    so the weights of one are not taken over. The word embeddings stay as they are: few items hold
    few of the words.

    Arguments:
        encoder: directory of the pretrained encoder (float32).
        tokenizer: its tokenizer.
        items: the training items.
        labels: names of the classes, in the order of the items' integers.
        recipe: how to train; its seed also draws the new weights.
        checkpoints: see `las.pretraining.train.train`.
        max_length: tokens per item; longer ones are cut.

    Returns:
        the trained model in evaluation mode; its config names the classes.

    Raises:
        ValueError: there are no items.
        TrainingError: the loss is NaN or infinite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model: PreTrainedModel = BertForSequenceClassification.from_pretrained(
            encoder,
            dtype=torch.float32,
            local_files_only=True,
            id2label=dict(enumerate(labels)),
            label2id={name: i for i, name in enumerate(labels)},
        )
        pooler = model.base_model.pooler.dense
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
    return model

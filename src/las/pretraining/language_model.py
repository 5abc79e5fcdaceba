"""A causal language model and its tokenizer, trained from nothing on a Wikipedia dump."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from las.data.wikipedia import articles, raw_pages
from las.data.windows import token_windows
from las.pretraining.tokenizer import train_tokenizer
from las.pretraining.train import Recipe, train


def train_language_model(
    dump: Path,
    recipe: Recipe,
    checkpoints: Path,
    *,
    architecture: Mapping[str, Any],
    vocabulary: int,
    window_tokens: int,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Train on the calibration pages, once as prose and once as raw XML; held-out ones stay unread.

    Perplexity is measured on prose and bits per byte on raw XML, hence both.

    Arguments:
        dump: a Wikipedia dump.
        recipe, checkpoints: see `las.pretraining.train.train`.
        architecture: `model_type` and the sizes of a transformers configuration, without those
            that follow from the tokenizer and the windows.
        vocabulary: tokens of the byte-level BPE tokenizer, at most.
        window_tokens: tokens of an example, and positions of the model.

    Returns:
        the model in float32, in evaluation mode, and its tokenizer.

    Raises:
        ValueError: `architecture` is none of a causal language model, or the text is too short.
        AssetError, FileNotFoundError: the dump is missing or damaged.
        TrainingError: see `las.pretraining.train.train`.
    """
    prose = [article.text for article in articles(dump, "calibration")]
    xml = list(raw_pages(dump, "calibration"))
    tokenizer = train_tokenizer([*prose, *xml], vocabulary)
    windows = [
        window.input_ids
        for texts in (prose, xml)
        for window in token_windows(texts, tokenizer, window_tokens)
    ]
    config = AutoConfig.for_model(
        **architecture,
        vocab_size=len(tokenizer),
        max_position_embeddings=window_tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    train(model, TensorDataset(torch.stack(windows)), _collate, recipe, checkpoints)
    return model, tokenizer


def _collate(examples: list[tuple[Tensor]]) -> dict[str, Tensor]:
    """Windows as forward kwargs, (B, L); the model itself shifts the labels by one."""
    input_ids = torch.stack([row for (row,) in examples])
    return {"input_ids": input_ids, "labels": input_ids}

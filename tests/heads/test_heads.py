"""Heads of an encoder, on whole training splits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertModel, PreTrainedTokenizerFast

from las.data.glue import GLUE, LabelledText
from las.evaluation.glue import compare_classifiers
from las.heads import train_head
from las.pretraining.train import Recipe
from tests.tiny_models import plain

RECIPE = Recipe(
    steps=60,
    batch_size=16,
    learning_rate=0.003,
    warmup_steps=5,
    weight_decay=0.01,
    seed=0,
    checkpoint_every=1000,
)


@pytest.fixture
def encoder(tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast) -> Path:
    model = plain.make(
        BertModel,
        vocab_size=len(byte_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_attention_heads=4,
        max_position_embeddings=32,
        initializer_range=0.02,
        hidden_dropout_prob=0.0,
        pad_token_id=byte_tokenizer.pad_token_id,
    )
    model.save_pretrained(tmp_path / "encoder")
    byte_tokenizer.save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


def pairs(task: str, first: int) -> list[LabelledText]:
    """The first text says it all: its first letter is the class, or how alike the two are."""
    count = len(GLUE[task].labels) or 6
    return [
        LabelledText((f"{'abcdef'[i % count] * 3} {i}", f"pair {i}"), float(i % count))
        for i in range(first, first + 120)
    ]


@pytest.mark.parametrize(
    ("task", "metric", "least"),
    [("mrpc", "acc", 0.95), ("mnli", "acc", 0.8), ("stsb", "pearson", 0.6)],
)
def test_a_head_says_of_unread_pairs_what_it_learnt(
    encoder: Path,
    byte_tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    task: str,
    metric: str,
    least: float,
) -> None:
    model, _ = train_head(
        encoder, pairs(task, 0), RECIPE, tmp_path / "checkpoints", task=task, max_length=32
    )
    assert not model.training
    assert model.config.num_labels == max(len(GLUE[task].labels), 1)
    scores = compare_classifiers(model, None, byte_tokenizer, pairs(task, 500), task=task)
    score = {one.metric: one for one in scores}[metric]
    assert score.ann > (100 if metric == "pearson" else 1) * least


def test_a_run_is_the_same_twice_and_word_embeddings_stay(encoder: Path, tmp_path: Path) -> None:
    recipe = Recipe(3, 8, 0.003, 1, 0.01, 0, 100)
    models = [
        train_head(encoder, pairs("rte", 0), recipe, tmp_path / name, task="rte", max_length=32)[0]
        for name in ("a", "b")
    ]
    one, other = (model.state_dict() for model in models)
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())
    before = BertModel.from_pretrained(encoder).get_input_embeddings().weight
    assert torch.equal(models[0].get_input_embeddings().weight, before)


def test_no_items_are_an_error(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no examples"):
        train_head(encoder, [], RECIPE, tmp_path / "c", task="rte", max_length=32)

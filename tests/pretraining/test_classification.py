"""A classification head, trained on a part of a validation split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from las.data.glue import GLUE, read_glue, side_of
from las.evaluation.glue import compare_classifiers
from las.pretraining.pretrain import pretrain
from tests.tiny_models import plain

RECIPE = {
    "steps": 60,
    "batch_size": 16,
    "learning_rate": 0.003,
    "warmup_steps": 5,
    "weight_decay": 0.01,
    "seed": 0,
    "checkpoint_every": 1000,
}


@pytest.fixture
def data_root(tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast) -> Path:
    """An encoder, and sentences whose first word says whether they are positive."""
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
    write_sentences(tmp_path)
    return tmp_path


def write_sentences(root: Path, held_out: bool = True) -> None:
    """240 of them; where not `held_out`, the labels of that part are all wrong."""
    folder = root / "glue" / "sst2"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(240):
        sentence = f"{('bad', 'fine')[i % 2]} film no {i}"
        turned = not held_out and side_of(sentence) == "held-out"
        rows.append({"sentence": sentence, "label": (i % 2) ^ turned})
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def trained(root: Path, **changes: Any) -> AutoModelForSequenceClassification:
    config = {
        "task": "classification",
        "encoder": "encoder",
        "directory": "glue",
        "glue_task": "sst2",
        "max_length": 32,
        "recipe": RECIPE,
    }
    pretrain(config | changes, root, root / "model", root / "checkpoints")
    return AutoModelForSequenceClassification.from_pretrained(root / "model")


def test_it_learns_what_it_can_say_of_unread_sentences(
    data_root: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = trained(data_root).eval()
    items = read_glue("sst2", data_root / "glue", "held-out")
    (score,) = compare_classifiers(model, None, byte_tokenizer, items, task="sst2")
    assert score.ann > 0.95 > score.extra["majority"]
    assert tuple(model.config.id2label.values()) == GLUE["sst2"].labels


def test_the_held_out_part_is_not_read(data_root: Path) -> None:
    recipe = RECIPE | {"steps": 5}
    one = trained(data_root, recipe=recipe).state_dict()
    write_sentences(data_root, held_out=False)
    other = trained(data_root, recipe=recipe).state_dict()
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())


def test_pooler_and_head_are_new_and_word_embeddings_stay(data_root: Path) -> None:
    encoder = BertModel.from_pretrained(data_root / "encoder")
    model = trained(data_root, recipe=RECIPE | {"steps": 1, "learning_rate": 1e-9})
    assert not torch.allclose(model.bert.pooler.dense.weight, encoder.pooler.dense.weight)
    query = "encoder.layer.0.attention.self.query.weight"
    assert torch.allclose(model.bert.get_parameter(query), encoder.get_parameter(query))
    model = trained(data_root, recipe=RECIPE | {"steps": 2})
    assert not torch.equal(model.bert.get_parameter(query), encoder.get_parameter(query))
    assert torch.equal(model.get_input_embeddings().weight, encoder.get_input_embeddings().weight)


def test_scores_are_no_classes(data_root: Path) -> None:
    (data_root / "glue" / "stsb").mkdir()
    rows = [{"sentence1": str(i), "sentence2": "b", "score": 1.0} for i in range(9)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (data_root / "glue" / "stsb" / "dev.jsonl").write_text(lines)
    with pytest.raises(ValueError, match="stsb has scores, not classes"):
        trained(data_root, glue_task="stsb")
    assert not (data_root / "model").exists()

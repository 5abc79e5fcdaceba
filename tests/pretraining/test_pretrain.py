"""From a config to a directory that transformers loads and las converts."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import las
from las.data.calibration import calibration_windows
from las.data.wikipedia import articles, raw_pages
from las.data.windows import token_windows
from las.errors import TrainingError
from las.pretraining.pretrain import pretrain

ARCHITECTURES = {
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2},
    "opt": {
        "model_type": "opt",
        "hidden_size": 32,
        "word_embed_proj_dim": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
}


def config(**changes: Any) -> dict[str, Any]:
    recipe = {
        "steps": 40,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 4,
        "weight_decay": 0.1,
        "seed": 0,
        "checkpoint_every": 10,
    }
    return {
        "task": "language_model",
        "dump": "pages.xml",
        "vocabulary": 300,
        "window_tokens": 32,
        "architecture": ARCHITECTURES["gpt2"],
        "recipe": recipe | changes.pop("recipe", {}),
        **changes,
    }


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    equal = a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    return (
        equal and (one / "tokenizer.json").read_bytes() == (other / "tokenizer.json").read_bytes()
    )


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_a_trained_model_is_loaded_and_converted_as_any_other(
    tmp_path: Path, write_dump: Callable[..., Path], family: str
) -> None:
    dump = write_dump()
    target, checkpoints = tmp_path / "model", tmp_path / "checkpoints"
    pretrain(config(architecture=ARCHITECTURES[family]), tmp_path, target, checkpoints)
    assert not checkpoints.exists()

    tokenizer = AutoTokenizer.from_pretrained(target)
    model = AutoModelForCausalLM.from_pretrained(target).eval()
    assert model.config.model_type == family
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    for read in (
        lambda: (a.text for a in articles(dump, "held-out")),
        lambda: raw_pages(dump, "held-out"),
    ):
        ids = torch.stack([w.input_ids for w in token_windows(read(), tokenizer, 32)])
        share = torch.bincount(ids.flatten()) / ids.numel()
        unigram = -(share * share.clamp_min(1e-12).log()).sum().item()
        assert model(input_ids=ids, labels=ids).loss.item() < 0.9 * unigram

    before = model(input_ids=ids).logits
    batches = calibration_windows(dump, tokenizer, count=8, length=32, batch_size=4)
    las.convert(model, list(batches), las.SpikeConfig())
    after = model(input_ids=ids).logits
    assert not torch.equal(before, after)
    assert (after - before).abs().max() < 1e-3 * before.abs().max()


def test_what_evaluation_reads_is_never_seen(
    tmp_path: Path, write_dump: Callable[..., Path]
) -> None:
    write_dump("one.xml", held_out_seed=1)
    write_dump("two.xml", held_out_seed=2)
    assert (tmp_path / "one.xml").read_text() != (tmp_path / "two.xml").read_text()
    for name in ("one", "two"):
        pretrain(config(dump=f"{name}.xml"), tmp_path, tmp_path / name, tmp_path / "checkpoints")
    assert same(tmp_path / "one", tmp_path / "two")


def test_an_interrupted_run_goes_on_and_ends_the_same(
    tmp_path: Path, write_dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dump()
    pretrain(config(), tmp_path, tmp_path / "whole", tmp_path / "checkpoints")

    class PowerFailureError(Exception):
        pass

    def fail(*_: object) -> None:
        raise PowerFailureError

    with monkeypatch.context() as patch:
        patch.setattr("transformers.GPT2LMHeadModel.save_pretrained", fail)
        with pytest.raises(PowerFailureError):
            pretrain(config(), tmp_path, tmp_path / "stopped", tmp_path / "checkpoints")
    assert not (tmp_path / "stopped").exists()
    assert list((tmp_path / "checkpoints").iterdir())
    pretrain(config(), tmp_path, tmp_path / "stopped", tmp_path / "checkpoints")
    assert same(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"task": "poetry"}, ValueError, "task is one of .*language_model.*, not 'poetry'"),
        ({"dump": "nowhere.xml"}, FileNotFoundError, "no Wikipedia dump at .*nowhere.xml"),
        ({"colour": "red"}, TypeError, "colour"),
        ({"recipe": {"colour": "red"}}, TypeError, "colour"),
        ({"window_tokens": 10**6}, ValueError, "give more text"),
        ({"architecture": {"model_type": "clip_vision_model"}}, ValueError, "clip"),
        ({"recipe": {"learning_rate": math.inf}}, TrainingError, "Lower the learning rate"),
    ],
)
def test_a_wrong_config_says_what_is_wrong_and_writes_nothing(
    tmp_path: Path,
    write_dump: Callable[..., Path],
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    write_dump()
    with pytest.raises(error, match=message):
        pretrain(config(**changes), tmp_path, tmp_path / "model", tmp_path / "checkpoints")
    assert not (tmp_path / "model").exists()


def test_a_missing_field_is_named(tmp_path: Path, write_dump: Callable[..., Path]) -> None:
    write_dump()
    lacking = config()
    del lacking["vocabulary"]
    with pytest.raises(TypeError, match="vocabulary"):
        pretrain(lacking, tmp_path, tmp_path / "model", tmp_path / "checkpoints")

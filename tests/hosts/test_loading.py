"""Models are loaded as what they are used as, or as their config says: no pickles, no code."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTModel,
)

from las.hosts.loading import is_language_model, load_model, load_reader, read_config
from tests.tiny_models import plain

BERT = plain.config(BertConfig)
LLAMA = plain.config(LlamaConfig)
T5 = plain.config(T5Config)
VIT = plain.config(ViTConfig, image_size=8, patch_size=4)


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    LlamaForCausalLM(LLAMA).save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


@pytest.mark.parametrize(
    ("saved", "loaded"),
    [
        (LlamaForCausalLM(LLAMA), LlamaForCausalLM),
        (BertForMaskedLM(BERT), BertModel),
        (T5EncoderModel(deepcopy(T5)), T5EncoderModel),
        (T5ForConditionalGeneration(T5), T5ForConditionalGeneration),
        (ViTModel(VIT), ViTModel),
    ],
    ids=lambda model: getattr(model, "__name__", type(model).__name__),
)
def test_without_a_kind_the_config_says_the_class(saved, loaded, tmp_path: Path) -> None:
    saved.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert type(model) is loaded
    assert is_language_model(model) == (loaded is LlamaForCausalLM)
    assert not model.training


def test_a_kind_says_the_class(tmp_path: Path) -> None:
    BertModel(BERT).save_pretrained(tmp_path)
    assert type(load_model(tmp_path, "encoder")) is BertModel
    assert type(load_model(tmp_path, "classifier")).__name__ == "BertForSequenceClassification"


def test_an_unknown_kind_names_those_there_are(llama: Path) -> None:
    with pytest.raises(ValueError, match="unknown kind of model 'cnn'; known: causal_lm, seq2seq"):
        load_model(llama, "cnn")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_are_read_as_the_dtype_asked_for(llama: Path, dtype: str) -> None:
    model = load_model(llama, "causal_lm", dtype=dtype, local_only=True)
    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, dtype)}


def test_pickled_weights_are_never_read(llama: Path) -> None:
    weights = llama / "model.safetensors"
    torch.save(load_model(llama).state_dict(), llama / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        load_model(llama)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "stranger", "auto_map": {"AutoConfig": "stranger.Config"}})
    )
    (tmp_path / "stranger.py").write_text("raise SystemExit('this code was run')")
    with pytest.raises(ValueError, match="trust_remote_code"):
        load_model(tmp_path)


def test_a_path_that_is_no_directory_is_no_name_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such model directory: \./nowhere"):
        load_model("./nowhere")
    with pytest.raises(FileNotFoundError, match=r"no such model directory or config\.json"):
        read_config(tmp_path / "config.json")


def test_a_config_is_read_alone(llama: Path) -> None:
    assert read_config(llama / "config.json").hidden_size == LLAMA.hidden_size


def test_text_is_read_by_a_tokenizer(
    tmp_path: Path, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    byte_tokenizer.save_pretrained(tmp_path)
    reader = load_reader(tmp_path, "causal_lm")
    assert reader("ab")["input_ids"] == byte_tokenizer("ab")["input_ids"]

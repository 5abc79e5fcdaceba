from __future__ import annotations

import pytest
import torch

from las.assets import materialise_model
from las.errors import AssetError


@pytest.fixture
def checkpoint(tmp_path):
    """A tiny BERT in half precision, with a tokenizer, as a fetched asset."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path / "asset"
    config = BertConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(config).half().save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "spike", "."]
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(words))
    BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(folder)
    (folder / "asset.json").write_text("{}")
    return folder


def test_a_model_becomes_float32_with_its_tokenizer(checkpoint, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    folder = materialise_model(checkpoint, tmp_path / "model", "encoder")
    model = AutoModel.from_pretrained(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config.dtype == torch.float32
    half = AutoModel.from_pretrained(checkpoint, dtype=torch.float16)
    for name, weight in half.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.float()), name
    assert AutoTokenizer.from_pretrained(folder)("a spike.")["input_ids"] == [2, 5, 6, 7, 3]


def test_a_model_that_is_there_is_left_alone(checkpoint, tmp_path):
    folder = materialise_model(checkpoint, tmp_path / "model", "encoder")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    materialise_model(checkpoint, folder, "encoder")
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_a_model_of_another_origin_is_written_anew(checkpoint, tmp_path):
    folder = materialise_model(checkpoint, tmp_path / "model", "encoder")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    (checkpoint / "asset.json").write_text('{"origin": "another"}')
    materialise_model(checkpoint, folder, "encoder")
    assert (folder / "model.safetensors").stat().st_mtime_ns != before


def test_missing_weights_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssetError, match=r"lacks config\.json, \*\.safetensors"):
        materialise_model(tmp_path / "empty", tmp_path / "model", "encoder")


def test_an_unknown_kind_names_those_there_are(tmp_path):
    with pytest.raises(AssetError, match="unknown kind of model 'cnn'; known: causal_lm, encoder"):
        materialise_model(tmp_path, tmp_path / "model", "cnn")

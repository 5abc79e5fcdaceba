from __future__ import annotations

import pytest
import torch

from las.assets import materialise_model
from las.errors import AssetError
from las.hosts.loading import MODEL_CLASSES
from tests.tiny_models import plain


@pytest.fixture
def checkpoint(tmp_path):
    """A tiny BERT in half precision, with a tokenizer, as a fetched asset."""
    from transformers import BertModel, BertTokenizerFast

    folder = tmp_path / "asset"
    plain.make(BertModel, vocab_size=8).half().save_pretrained(folder)
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
    with pytest.raises(AssetError, match=r"lacks config\.json, \*\.safetensors.* refs/pr/7"):
        materialise_model(tmp_path / "empty", tmp_path / "model", "encoder")


def test_an_unknown_kind_names_those_there_are(tmp_path):
    with pytest.raises(AssetError, match="unknown kind of model 'cnn'; known: causal_lm, seq2seq"):
        materialise_model(tmp_path, tmp_path / "model", "cnn")


def test_every_kind_is_a_class_of_transformers():
    import transformers

    assert all(hasattr(transformers, name) for name in MODEL_CLASSES.values())


@pytest.fixture
def quantised(tmp_path):
    """A tiny Llama as a GGUF file with 8-bit weights, as a fetched asset."""
    import gguf
    import numpy as np

    folder = tmp_path / "asset"
    folder.mkdir()
    width, heads, vocabulary = 32, 2, 16
    writer = gguf.GGUFWriter(folder / "tiny.gguf", "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("gpt2")
    tokens = ["<unk>", "<s>", "</s>", *"abcdefghijkl", "ab"]
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * 13)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    random = np.random.default_rng(0)
    shapes = {
        "token_embd": (vocabulary, width),
        "output_norm": (width,),
        "blk.0.attn_norm": (width,),
        "blk.0.ffn_norm": (width,),
        **{f"blk.0.attn_{name}": (width, width) for name in ("q", "k", "v", "output")},
        "blk.0.ffn_gate": (64, width),
        "blk.0.ffn_up": (64, width),
        "blk.0.ffn_down": (width, 64),
    }
    for name, shape in shapes.items():
        weight = random.standard_normal(shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(f"{name}.weight", weight)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(f"{name}.weight", gguf.quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder


def test_a_quantised_model_becomes_plain_float32(quantised, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = materialise_model(quantised, tmp_path / "model", "causal_lm", "tiny.gguf")
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert not hasattr(model.config, "quantization_config")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    there = AutoModelForCausalLM.from_pretrained(
        quantised, gguf_file="tiny.gguf", dtype=torch.float32
    )
    for name, weight in there.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert AutoTokenizer.from_pretrained(folder)("ab", add_special_tokens=False)["input_ids"] == [
        15
    ]


@pytest.fixture
def sharded(checkpoint):
    """The same in several files with an index, as large models come."""
    from transformers import AutoModel

    AutoModel.from_pretrained(checkpoint, dtype=torch.float16).save_pretrained(
        checkpoint, max_shard_size="1KB"
    )
    (checkpoint / "model.safetensors").unlink(missing_ok=True)
    assert len(list(checkpoint.glob("model-0000?-of-*.safetensors"))) > 1
    return checkpoint


def test_half_precision_is_used_as_it_is(sharded, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    folder = materialise_model(sharded, tmp_path / "model", "encoder", dtype="bfloat16")
    files = {file.name: file for file in sharded.iterdir()}
    assert {file.name for file in folder.iterdir()} == {*files, "checksums.json"}
    assert all((folder / name).samefile(file) for name, file in files.items())
    model = AutoModel.from_pretrained(folder, dtype="bfloat16")
    expected = AutoModel.from_pretrained(sharded, dtype="bfloat16").state_dict()
    assert all(torch.equal(weight, expected[name]) for name, weight in model.state_dict().items())
    assert AutoTokenizer.from_pretrained(folder)("a spike.")["input_ids"] == [2, 5, 6, 7, 3]


def test_several_files_become_one_in_float32(sharded, tmp_path):
    folder = materialise_model(sharded, tmp_path / "model", "encoder")
    assert [file.name for file in folder.glob("*.safetensors")] == ["model.safetensors"]


def test_another_dtype_is_written_anew_and_the_same_is_left_alone(sharded, tmp_path):
    from transformers import AutoConfig

    target = tmp_path / "model"
    for dtype, stored in (("float32", torch.float32), ("float16", torch.float16)) * 2:
        materialise_model(sharded, target, "encoder", dtype=dtype)
        assert AutoConfig.from_pretrained(target).dtype == stored
        before = target.stat().st_ino
        materialise_model(sharded, target, "encoder", dtype=dtype)
        assert target.stat().st_ino == before


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_missing_file_of_several_is_named(sharded, tmp_path, dtype):
    lost = sorted(sharded.glob("model-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(AssetError, match=lost.name):
        materialise_model(sharded, tmp_path / "model", "encoder", dtype=dtype)


def test_an_unknown_dtype_names_those_there_are(checkpoint, tmp_path):
    with pytest.raises(AssetError, match="known: float32, float16, bfloat16"):
        materialise_model(checkpoint, tmp_path / "model", "encoder", dtype="int4")

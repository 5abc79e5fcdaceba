"""Self-contained checkpoints: save_pretrained and AutoModel*.from_pretrained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM

import las
from las.conversion import is_spiking, read_adapter


def test_a_causal_model_comes_back_bit_for_bit(llama, make_batches, tmp_path):
    las.convert(llama, make_batches())
    llama.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    batch = make_batches(count=1, seed=8)[0]
    assert is_spiking(again)
    assert again.lm_head.weight is again.get_input_embeddings().weight
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, llama(**batch).logits)


def test_an_encoder_comes_back_bit_for_bit(bert, make_batches, tmp_path):
    las.convert(bert, make_batches())
    bert.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path)
    batch = make_batches(count=1, padding=4, seed=8)[0]
    with torch.no_grad():
        assert torch.equal(again(**batch)[0], bert(**batch)[0])


def test_a_loaded_checkpoint_can_be_saved_again(llama, make_batches, tmp_path):
    las.convert(llama, make_batches())
    llama.save_pretrained(tmp_path / "first")
    AutoModelForCausalLM.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    first, second = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("first", "second")
    )
    assert first["quantization_config"] == second["quantization_config"]


def test_bfloat16_weights_leave_the_thresholds_alone(llama, make_batches, tmp_path):
    las.convert(llama, make_batches())
    llama.save_pretrained(tmp_path)
    half = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    batch = make_batches(count=1, seed=8)[0]
    site = llama.model.layers[0].self_attn.q_proj.site
    assert half.model.layers[0].self_attn.q_proj.site.neuron == site.neuron
    with torch.no_grad():
        logits, full = half(**batch).logits.float(), llama(**batch).logits
    assert float((logits - full).norm() / full.norm()) < 0.05


def test_the_adapter_of_a_loaded_checkpoint_is_that_of_the_original(llama, make_batches, tmp_path):
    las.convert(llama, make_batches())
    llama.save_pretrained(tmp_path / "full")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "full")
    las.save(llama, tmp_path / "a")
    las.save(again, tmp_path / "b")
    (data, arrays), (same_data, same_arrays) = (
        read_adapter(tmp_path / name).pack() for name in "ab"
    )
    assert data == same_data
    assert all(np.array_equal(arrays[name], same_arrays[name]) for name in arrays)


def test_a_damaged_state_is_an_error(llama, make_batches, tmp_path):
    las.convert(llama, make_batches())
    llama.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"]["arrays"] = config["quantization_config"]["arrays"][:400]
    path.write_text(json.dumps(config))
    with pytest.raises(las.errors.AdapterError, match="damaged"):
        AutoModelForCausalLM.from_pretrained(tmp_path)

"""Adapters: small, exact, bound to their base."""

from __future__ import annotations

import copy

import pytest
import torch

import las
from las.conversion.adapter import FILE
from las.errors import AdapterError


@pytest.fixture
def saved(llama, make_batches, tmp_path):
    """The base model, the converted one, and where its adapter lies."""
    base = copy.deepcopy(llama)
    las.convert(llama, make_batches())
    las.save(llama, tmp_path)
    return base, llama, tmp_path


def test_a_loaded_adapter_gives_the_same_bits(saved, make_batches):
    base, converted, directory = saved
    batch = make_batches(count=1, seed=8)[0]
    las.load(base, directory)
    with torch.no_grad():
        assert torch.equal(base(**batch).logits, converted(**batch).logits)


def test_an_adapter_holds_no_weights(saved):
    base, _, directory = saved
    weights = sum(p.numel() * 4 for p in base.parameters())
    assert (directory / FILE).stat().st_size < 300_000
    assert not [f for f in directory.iterdir() if f.name != FILE]
    assert weights > 0


def test_another_base_is_refused(saved):
    base, _, directory = saved
    with torch.no_grad():
        base.model.layers[1].mlp.up_proj.weight.mul_(1.1)
    with pytest.raises(AdapterError, match="belongs to a llama model"):
        las.load(base, directory)
    assert not any(type(m).__module__.startswith("las.") for m in base.modules())


def test_another_architecture_is_refused(saved, bert):
    with pytest.raises(AdapterError, match="load the base it was made from"):
        las.load(bert, saved[2])


@pytest.mark.parametrize("keep", [0, 7, 200, -100])
def test_a_truncated_adapter_is_refused(saved, keep):
    base, _, directory = saved
    file = directory / FILE
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(AdapterError, match="damaged or truncated"):
        las.load(base, directory)


def test_a_missing_adapter_says_how_to_make_one(llama, tmp_path):
    with pytest.raises(AdapterError, match=r"las\.save"):
        las.load(llama, tmp_path / "nowhere")


def test_a_dense_model_has_no_adapter(llama, tmp_path):
    with pytest.raises(AdapterError, match="no converted model"):
        las.save(llama, tmp_path)

"""What decoders owe their originals beside the checks of all architectures."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import las
from las.calibration.fingerprint import fingerprint
from las.errors import UnsupportedModelError
from tests import tiny_models
from tests.conversion.converted import converted, relative
from tests.tiny_models import plain

DECODERS = [
    "gpt2",
    "opt",
    "opt-350m",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "phi3",
    "gpt-neox",
    "gpt-neox-serial",
    "gemma2",
    "gemma3",
]


@pytest.mark.parametrize("name", DECODERS)
def test_tokens_that_enter_in_parts_give_the_logits_of_the_whole(name: str) -> None:
    """The same spikes of keys and values too: each fires once, when it enters the cache."""
    model = converted(name).in_float64()
    ids = tiny_models.batches("llama", 1, rows=2, length=12, padding=0, seed=6)[0]["input_ids"]
    with torch.no_grad(), las.count_spikes(model) as at_once:
        whole = model(input_ids=ids, use_cache=False).logits
    cache, parts = None, []
    with torch.no_grad(), las.count_spikes(model) as in_parts:
        for part in ids.split([7, 1, 1, 3], dim=1):
            output = model(input_ids=part, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            parts.append(output.logits)
    assert relative(torch.cat(parts, dim=1), whole) < 1e-9
    for name, site in at_once.sites.items():
        if name.endswith((".key", ".value")):
            assert in_parts.sites[name].spikes == site.spikes > 0


@pytest.mark.parametrize(
    ("family", "option", "value"),
    [
        ("gpt-neox", "use_parallel_residual", False),
        ("gemma2", "query_pre_attn_scalar", 16),
        ("gemma3", "layer_types", ["full_attention", "full_attention"]),
        ("opt", "do_layer_norm_before", False),
    ],
)
def test_the_same_weights_of_another_architecture_are_another_base(
    family: str, option: str, value: Any
) -> None:
    model = tiny_models.build(family)
    before = fingerprint(model)
    setattr(model.config, option, value)
    assert fingerprint(model) != before


def test_cross_attention_is_refused() -> None:
    from transformers import GPT2LMHeadModel

    model = plain.make(GPT2LMHeadModel, add_cross_attention=True)
    with pytest.raises(UnsupportedModelError, match="GPT2Attention is a cross-attention"):
        las.convert(model, tiny_models.batches("llama"))

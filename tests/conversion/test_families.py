"""What every text family owes its original: outputs, spikes, generation, files, a clean audit."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

import las
from las.calibration.fingerprint import fingerprint
from las.errors import UnsupportedModelError
from tests.conversion import families


@dataclass(frozen=True)
class Pair:
    """A model and its conversion."""

    dense: Any
    spiking: Any

    def in_float64(self) -> Any:
        return copy.deepcopy(self.spiking).double()


@cache
def converted(family: str) -> Pair:
    dense = families.build(family)
    return Pair(dense, las.convert(copy.deepcopy(dense), families.batches()))


@pytest.fixture(params=families.FAMILIES)
def pair(request: pytest.FixtureRequest) -> Pair:
    return converted(request.param)


@pytest.fixture(params=families.DECODERS)
def decoder(request: pytest.FixtureRequest) -> Pair:
    return converted(request.param)


def logits(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """Of the tokens that are no padding, or of the texts."""
    with torch.no_grad():
        values: Tensor = model(**batch).logits
    return values[batch["attention_mask"].bool()] if values.dim() == 3 else values


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("seed", [9, 10, 11])
def test_logits_stay_the_same(pair: Pair, seed: int) -> None:
    """With and without that of the massive token, which dwarfs them where embeddings are tied."""
    (unseen,) = families.batches(1, rows=2, length=20, padding=6, seed=seed)
    spiking, dense = logits(pair.spiking, unseen), logits(pair.dense, unseen)
    assert 0 < relative(spiking, dense) <= 1e-3
    if dense.shape[-1] == families.VOCABULARY:
        others = torch.arange(families.VOCABULARY) != families.MASSIVE_TOKEN
        assert 0 < relative(spiking[:, others], dense[:, others]) <= 1e-3


def test_simulator_and_fused_path_agree_spike_for_spike(pair: Pair) -> None:
    model = pair.in_float64()
    (batch,) = families.batches(1, rows=2, length=10, padding=3, seed=5)
    with las.count_spikes(model) as fused_spikes:
        fused = logits(model, batch)
    with las.simulate(model), las.count_spikes(model) as simulated_spikes:
        simulated = logits(model, batch)
    assert relative(fused, simulated) < 1e-12
    counts = {name: (site.activations, site.spikes) for name, site in fused_spikes.sites.items()}
    assert counts == {
        name: (site.activations, site.spikes) for name, site in simulated_spikes.sites.items()
    }


def test_generation_with_a_cache_gives_the_tokens_of_a_full_forward_pass(decoder: Pair) -> None:
    model = decoder.in_float64()
    prompt = families.batches(1, rows=2, length=5, padding=0, seed=4)[0]["input_ids"]
    options: Any = dict(max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=0)
    with torch.no_grad():
        tokens = model.generate(prompt, attention_mask=torch.ones_like(prompt), **options)
        full = model(input_ids=tokens, use_cache=False).logits
    assert tokens.shape == (2, 13)
    assert torch.equal(tokens[:, 5:], full[:, 4:-1].argmax(-1))


def test_tokens_that_enter_in_parts_give_the_logits_of_the_whole(decoder: Pair) -> None:
    """The same spikes of keys and values too: each fires once, when it enters the cache."""
    model = decoder.in_float64()
    ids = families.batches(1, rows=2, length=12, padding=0, seed=6)[0]["input_ids"]
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


def test_an_adapter_gives_the_same_bits(pair: Pair, tmp_path: Any) -> None:
    las.save(pair.spiking, tmp_path)
    again = las.load(copy.deepcopy(pair.dense), tmp_path)
    (batch,) = families.batches(1, seed=8)
    assert torch.equal(logits(again, batch), logits(pair.spiking, batch))


def test_a_checkpoint_gives_the_same_bits(pair: Pair, tmp_path: Any) -> None:
    pair.spiking.save_pretrained(tmp_path)
    again = type(pair.dense).from_pretrained(tmp_path)
    (batch,) = families.batches(1, seed=8)
    assert torch.equal(logits(again, batch), logits(pair.spiking, batch))
    assert set(again.state_dict()) == set(pair.dense.state_dict())


def test_no_operation_is_float(pair: Pair) -> None:
    report = las.audit(pair.spiking)
    assert report.clean, str(report)


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
    model = families.build(family)
    before = fingerprint(model)
    setattr(model.config, option, value)
    assert fingerprint(model) != before


def test_cross_attention_is_refused() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=64, n_embd=16, n_layer=1, n_head=2, add_cross_attention=True)
    with pytest.raises(UnsupportedModelError, match="GPT2Attention is a cross-attention"):
        las.convert(GPT2LMHeadModel(config), families.batches())

"""Calibrated on a few tokens, a model is as good at the longest context that it was made for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    BertModel,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    MptForCausalLM,
    T5ForConditionalGeneration,
)

import las
from las.conversion import twin
from tests.tiny_models import plain

CALIBRATED = 20

FAMILIES: dict[str, tuple[Callable[[], Any], int]] = {
    "llama": (lambda: plain.make(LlamaForCausalLM, max_position_embeddings=900), 900),
    "llama of diffuse attention": (
        lambda: plain.make(LlamaForCausalLM, max_position_embeddings=900, initializer_range=0.02),
        900,
    ),
    "learned positions": (lambda: plain.make(GPT2LMHeadModel, n_positions=700), 700),
    "both directions": (lambda: plain.make(BertModel, max_position_embeddings=600), 600),
    "ALiBi": (lambda: plain.make(MptForCausalLM, d_model=16, max_seq_len=700), 700),
    "relative positions": (lambda: plain.make(T5ForConditionalGeneration), 800),
}


def batch(model: Any, rows: int, length: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def ids() -> Tensor:
        return torch.randint(1, plain.VOCABULARY, (rows, length), generator=generator)

    read = {"input_ids": ids()}
    return read | ({"decoder_input_ids": ids()} if model.config.is_encoder_decoder else {})


def final(model: Any, given: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        output = model(**given, output_hidden_states=True)
    states = getattr(output, "hidden_states", None) or output.decoder_hidden_states
    last: Tensor = states[-1]
    return last.double()


def error(dense: Any, spiking: Any, given: dict[str, Tensor]) -> float:
    exact = final(dense, given)
    return float((final(spiking, given) - exact).norm() / exact.norm())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_error_at_full_length_is_that_of_calibration(name: str) -> None:
    build, longest = FAMILIES[name]
    dense = build()
    spiking = las.convert(twin(dense), [batch(dense, 4, CALIBRATED, seed) for seed in (1, 2, 3)])
    short = error(dense, spiking, batch(dense, 4, CALIBRATED, 9))
    with las.count_spikes(spiking) as spikes:
        full = error(dense, spiking, batch(dense, 1, longest, 9))
    assert full < 3 * short
    softmaxes = {n: s for n, s in spikes.sites.items() if ".reciprocal" in n or n.endswith(".exp")}
    assert softmaxes
    assert all(site.out_of_range == 0 for site in softmaxes.values())
    one = error(dense, spiking, batch(dense, 3, 1, 9))
    assert one < 3 * short


@pytest.mark.slow
def test_thousands_of_tokens_after_dozens() -> None:
    dense = plain.make(LlamaForCausalLM, max_position_embeddings=4096, initializer_range=0.3)
    spiking = las.convert(twin(dense), [batch(dense, 4, 32, seed) for seed in (1, 2, 3)])
    short = error(dense, spiking, batch(dense, 4, 32, 9))
    assert error(dense, spiking, batch(dense, 1, 4096, 9)) < 3 * short


def test_a_model_calibrated_at_its_longest_context_keeps_its_gates() -> None:
    """Nothing is known beyond what was seen, so that nothing is changed."""
    gates = []
    for longest in (CALIBRATED, 64 * CALIBRATED):
        dense = plain.make(LlamaForCausalLM, max_position_embeddings=longest)
        model = las.convert(dense, [batch(dense, 4, CALIBRATED, 1)])
        sites = {n: m.neuron for n, m in model.named_modules() if getattr(m, "neuron", None)}
        gates.append({n: s.gates for n, s in sites.items() if hasattr(s, "gates")})
    changed = {name for name in gates[0] if gates[0][name] != gates[1][name]}
    assert changed
    assert all(name.endswith("spiking_attention.probability") for name in changed)
    assert all(gates[1][name] < gates[0][name] for name in changed)

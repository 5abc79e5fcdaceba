"""Generation: a key or a value spikes once, when it enters the cache."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache, StaticCache

import las
from las.neurons.tally import SpikeTally


@pytest.fixture
def spiking(llama, make_batches) -> nn.Module:
    return las.convert(llama, make_batches()).double()


@pytest.fixture
def ids(make_batches) -> Tensor:
    return make_batches(1, rows=2, length=12)[0]["input_ids"]


def in_parts(model: nn.Module, ids: Tensor, cache: object, lengths: list[int]) -> Tensor:
    """Logits of all tokens, which enter a few at a time."""
    logits = []
    with torch.no_grad():
        for part in ids.split(lengths, dim=1):
            logits.append(model(input_ids=part, past_key_values=cache).logits)
    return torch.cat(logits, dim=1)


def at(tally: SpikeTally, end: str) -> dict[str, tuple[int, int]]:
    chosen = {name: site for name, site in tally.sites.items() if name.endswith(end)}
    return {name: (site.activations, site.spikes) for name, site in chosen.items()}


PARTS = pytest.mark.parametrize("lengths", [[12], [7, 5], [1] * 12, [9, 1, 1, 1]])


@PARTS
def test_tokens_that_enter_in_parts_give_the_logits_of_the_whole(spiking, ids, lengths) -> None:
    with torch.no_grad():
        whole = spiking(input_ids=ids, use_cache=False).logits
    parts = in_parts(spiking, ids, DynamicCache(config=spiking.config), lengths)
    assert torch.allclose(parts, whole, rtol=0, atol=1e-9 * whole.abs().max().item())


@PARTS
def test_keys_and_values_spike_once(spiking, ids, lengths) -> None:
    """As many spikes and synaptic operations as if all tokens had come at once."""
    with las.count_spikes(spiking) as whole, torch.no_grad():
        spiking(input_ids=ids, use_cache=False)
    with las.count_spikes(spiking) as parts:
        in_parts(spiking, ids, DynamicCache(config=spiking.config), lengths)
    for end in ("spiking_attention.key", "spiking_attention.value"):
        assert at(parts, end) == at(whole, end)
        assert all(spikes > 0 for _, spikes in at(whole, end).values())


def test_an_earlier_key_causes_no_operations_later(spiking, ids) -> None:
    """A second token adds to the first one's work only what its own spikes read.

    Its query's spikes read two keys, its key's spikes are read by one query.
    """
    cache = DynamicCache(config=spiking.config)
    with torch.no_grad():
        spiking(input_ids=ids[:, :1], past_key_values=cache)
        with las.count_spikes(spiking) as second:
            spiking(input_ids=ids[:, 1:2], past_key_values=cache)
    layer = "model.layers.0.self_attn.spiking_attention"
    heads_per_key = 2
    queries, keys = second.sites[f"{layer}.query"].spikes, second.sites[f"{layer}.key"].spikes
    assert second.operations[f"{layer}.scores"].sops == 2 * queries + heads_per_key * keys
    width = spiking.config.hidden_size // spiking.config.num_attention_heads
    weighing = second.sites[f"{layer}.probability"].spikes * width
    values = second.sites[f"{layer}.value"].spikes * heads_per_key
    assert second.operations[f"{layer}.context"].sops == weighing + values


@PARTS
def test_the_simulator_agrees_with_a_cache_too(spiking, ids, lengths) -> None:
    with las.count_spikes(spiking) as fused_tally:
        fused = in_parts(spiking, ids, DynamicCache(config=spiking.config), lengths)
    with las.simulate(spiking), las.count_spikes(spiking) as simulated_tally:
        simulated = in_parts(spiking, ids, DynamicCache(config=spiking.config), lengths)
    assert torch.allclose(fused, simulated, rtol=0, atol=1e-9 * fused.abs().max().item())
    assert at(fused_tally, "") == at(simulated_tally, "")


def test_a_static_cache(spiking, ids) -> None:
    """Its tensors have room for tokens that are not there yet."""
    cache = StaticCache(config=spiking.config, max_cache_len=20)
    with las.count_spikes(spiking) as tally:
        parts = in_parts(spiking, ids, cache, [8, 1, 3])
    with las.count_spikes(spiking) as expected:
        whole = in_parts(spiking, ids, DynamicCache(config=spiking.config), [8, 1, 3])
    assert torch.allclose(parts, whole, rtol=0, atol=1e-9 * whole.abs().max().item())
    assert at(tally, "key") == at(expected, "key")
    sops = [
        {name: op.sops for name, op in each.operations.items() if name.endswith("scores")}
        for each in (tally, expected)
    ]
    assert sops[0] == sops[1]


def test_beams_are_reordered_like_those_of_any_cache(spiking, ids) -> None:
    options = dict(max_new_tokens=6, num_beams=3, do_sample=False, pad_token_id=0)
    with torch.no_grad():
        cached = spiking.generate(ids, attention_mask=torch.ones_like(ids), **options)
        plain = spiking.generate(
            ids, attention_mask=torch.ones_like(ids), use_cache=False, **options
        )
    assert torch.equal(cached, plain)

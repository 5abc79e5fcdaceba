"""`nn.MultiheadAttention` with spikes, as pooling heads have it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import las
from las.components.multihead import spiking_multihead_attention
from las.errors import UnsupportedModelError

WIDTH, HEADS = 12, 3


def dense(**options) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    return nn.MultiheadAttention(WIDTH, HEADS, **{"batch_first": True, **options}).double().eval()


@pytest.mark.parametrize("bias", [True, False])
def test_both_paths_agree_and_do_what_the_original_does(bias, spiking, assert_one_truth):
    original = dense(bias=bias)
    spikes = spiking(spiking_multihead_attention(original))
    probe = torch.randn(2, 1, WIDTH, dtype=torch.float64)
    memory = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    y = assert_one_truth(spikes, lambda: spikes(probe, memory, memory)[0])
    expected, _ = original(probe, memory, memory)
    assert torch.allclose(y, expected, atol=1e-2)


HIDDEN = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]], dtype=torch.bool)


def added(hidden: torch.Tensor) -> torch.Tensor:
    return torch.zeros(hidden.shape, dtype=torch.float64).masked_fill(hidden, -torch.inf)


MASKS = {
    "of-keys": dict(key_padding_mask=HIDDEN),
    "of-keys-added": dict(key_padding_mask=added(HIDDEN)),
    "of-pairs": dict(attn_mask=HIDDEN),
    "of-pairs-added": dict(attn_mask=added(HIDDEN)),
    "of-heads": dict(attn_mask=HIDDEN[:, None].repeat_interleave(HEADS, 0).expand(-1, 2, -1)),
    "lowest": dict(attn_mask=added(HIDDEN).clamp_min(torch.finfo(torch.float64).min)),
    "both": dict(key_padding_mask=added(HIDDEN), attn_mask=added(HIDDEN.flip(0))),
    "a-bias": dict(attn_mask=torch.linspace(-1, 1, 10, dtype=torch.float64).view(2, 5)),
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_masks_hide_what_they_hide_from_the_original(masks, spiking, assert_one_truth):
    original = dense()
    spikes = spiking(spiking_multihead_attention(original))
    query = torch.randn(2, 2, WIDTH, dtype=torch.float64)
    memory = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    y = assert_one_truth(spikes, lambda: spikes(query, memory, memory, **masks)[0])
    expected, _ = original(query, memory, memory, **masks)
    assert torch.allclose(y, expected, atol=1e-2)


def test_keys_and_values_read_the_same_spikes(spiking):
    spikes = spiking(spiking_multihead_attention(dense()))
    probe = torch.randn(2, 1, WIDTH, dtype=torch.float64)
    memory = torch.randn(2, 5, WIDTH, dtype=torch.float64)
    with las.count_spikes(spikes) as tally:
        spikes(probe, memory, memory)
    assert tally.sites["top.memory.site"].activations == memory.numel()
    for part, outputs in (("query", WIDTH), ("memory", 2 * WIDTH)):
        work, population = tally.operations[f"top.{part}"], tally.sites[f"top.{part}.site"]
        assert work.sops == outputs * population.spikes > 0
        assert work.macs == outputs * population.activations


def test_its_parameters_stay_the_very_parameters_under_their_names():
    original = dense()
    spikes = spiking_multihead_attention(original)
    before, after = dict(original.named_parameters()), dict(spikes.named_parameters())
    assert before.keys() == after.keys()
    assert all(after[name] is parameter for name, parameter in before.items())


@pytest.mark.parametrize(
    "options",
    [{"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 8}, {"batch_first": False}],
)
def test_what_it_does_not_do_is_an_error(options):
    with pytest.raises(UnsupportedModelError, match=r"MultiheadAttention.*batch_first"):
        spiking_multihead_attention(dense(**options))


def test_keys_and_values_of_two_tensors_are_an_error(spiking):
    spikes = spiking(spiking_multihead_attention(dense()))
    x, y = torch.randn(2, 2, 5, WIDTH, dtype=torch.float64)
    with pytest.raises(UnsupportedModelError, match="two tensors"):
        spikes(x, x, y)

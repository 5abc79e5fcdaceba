from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import las
from las.components import attention
from las.components.attention import SpikingAttention
from las.errors import CalibrationError, UnsupportedModelError

B, H, L, D = 2, 4, 9, 8
LOWEST = torch.finfo(torch.float64).min


def operands(heads: int = H, keys: int = L, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(B, H, L, D, generator=generator, dtype=torch.float64) * 2
    key = torch.randn(B, heads, keys, D, generator=generator, dtype=torch.float64) * 2
    value = torch.randn(B, heads, keys, D, generator=generator, dtype=torch.float64)
    key[:, :, 0] *= 20  # a massive first key
    return query, key, value


def causal() -> Tensor:
    return torch.zeros(1, 1, L, L).double().masked_fill(~torch.ones(L, L).tril().bool(), LOWEST)


def padded() -> Tensor:
    """The last three keys of the second text are padding."""
    mask = torch.zeros(B, 1, L, L).double()
    mask[1, :, :, -3:] = LOWEST
    return mask


def sees_nothing() -> Tensor:
    """No query of the first text is allowed any key."""
    mask = causal().repeat(B, 1, 1, 1)
    mask[0] = LOWEST
    return mask


MASKS = {
    "bidirectional": None,
    "causal": causal(),
    "padded": padded(),
    "causal and padded": torch.minimum(causal(), padded()),
    "boolean": torch.ones(L, L).tril().bool()[None, None],
    "biased": causal() + torch.linspace(-2, 2, L).double(),
}


def distances() -> Tensor:
    """A bias for each head, which depends on how far a key is away."""
    generator = torch.Generator().manual_seed(7)
    table = torch.randn(H, 2 * L - 1, generator=generator, dtype=torch.float64) * 3
    places = torch.arange(L)
    return table[:, places[None] - places[:, None] + L - 1][None]


def reference(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    return F.scaled_dot_product_attention(query, key, value, mask)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("heads", [H, 2, 1])
def test_both_paths_agree(spiking, assert_one_truth, mask: Tensor | None, heads: int) -> None:
    """With grouped queries too; the context is close to exact attention's."""
    attend = spiking(SpikingAttention())
    query, key, value = operands(heads)
    y = assert_one_truth(attend, lambda: attend(query, key, value, mask, D**-0.5))
    assert torch.allclose(y, reference(query, key, value, mask), atol=2e-2)


@pytest.mark.parametrize("out", [3, 13])
def test_values_may_be_of_another_width(spiking, assert_one_truth, out: int) -> None:
    """As DeepSeek's are."""
    attend = spiking(SpikingAttention())
    query, key, _ = operands()
    value = torch.randn(B, H, L, out, generator=torch.Generator().manual_seed(4)).double()
    context = assert_one_truth(attend, lambda: attend(query, key, value, causal(), 0.3))
    expected = F.scaled_dot_product_attention(query, key, value, causal(), scale=0.3)
    assert torch.allclose(context, expected, atol=0.05)
    with las.count_spikes(attend) as tally:
        attend(query, key, value, None, 0.3)
    assert tally.operations["top.scores"].macs == B * H * L * L * D
    assert tally.operations["top.context"].macs == B * H * L * L * out
    rows = tally.sites["top.probability"].spikes * out + tally.sites["top.value"].spikes * L
    assert tally.operations["top.context"].sops == rows


def test_a_mask_of_one_row_holds_for_all_queries(spiking, assert_one_truth) -> None:
    attend = spiking(SpikingAttention())
    row = torch.zeros(B, 1, 1, L).double()
    row[1, :, :, -3:] = LOWEST
    context = assert_one_truth(attend, lambda: attend(*operands(), row, D**-0.5))
    assert torch.equal(context, attend(*operands(), row.expand(B, 1, L, L), D**-0.5))


@pytest.mark.parametrize("block", [1, 40, 150, 700])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_the_size_of_the_blocks_changes_nothing(
    spiking, monkeypatch, mask: Tensor | None, block: int
) -> None:
    """Members of the batch, and queries where one member is too much, go block by block."""
    attend = spiking(SpikingAttention())
    query, key, value = operands(2)
    with las.count_spikes(attend) as whole:
        expected = attend(query, key, value, mask, D**-0.5)
    monkeypatch.setattr(attention, "BLOCK", block)
    with las.count_spikes(attend) as blocks:
        y = attend(query, key, value, mask, D**-0.5)
    assert torch.allclose(y, expected, rtol=0, atol=1e-13)
    assert blocks.operations == whole.operations
    assert blocks.sites == whole.sites


@pytest.mark.parametrize("block", [1, 150])
@pytest.mark.parametrize("mask", [*MASKS.values(), sees_nothing()], ids=[*MASKS, "blind"])
def test_both_paths_agree_block_by_block(
    spiking, assert_one_truth, monkeypatch, mask: Tensor | None, block: int
) -> None:
    """A block of queries that see nothing is one of them."""
    monkeypatch.setattr(attention, "BLOCK", block)
    attend = spiking(SpikingAttention())
    assert_one_truth(attend, lambda: attend(*operands(2), mask, D**-0.5))


@pytest.mark.parametrize("block", [attention.BLOCK, 40])
@pytest.mark.parametrize("scale", [1.0, D**-0.5])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_a_bias_of_positions_is_added_to_the_scores(
    spiking, assert_one_truth, monkeypatch, mask: Tensor | None, scale: float, block: int
) -> None:
    """As in T5, which has no scale of its own."""
    monkeypatch.setattr(attention, "BLOCK", block)
    attend = spiking(SpikingAttention())
    query, key, value = operands()
    query = query * (D**-0.5 / scale)
    y = assert_one_truth(attend, lambda: attend(query, key, value, mask, scale, distances()))
    given = torch.zeros(1).double() if mask is None else mask
    if given.dtype == torch.bool:
        given = torch.zeros(mask.shape).double().masked_fill(~mask, LOWEST)
    exact = F.scaled_dot_product_attention(query, key, value, given + distances(), scale=scale)
    assert torch.allclose(y, exact, atol=2e-2)
    assert not torch.allclose(y, attend(query, key, value, mask, scale), atol=2e-2)


def test_a_bias_of_zeros_changes_no_bit(spiking) -> None:
    """Cross-attention in T5 has such a one."""
    attend = spiking(SpikingAttention())
    zeros = torch.zeros(1, H, L, L).double()
    plain = attend(*operands(), causal(), 0.3)
    assert torch.equal(attend(*operands(), causal(), 0.3, zeros), plain)


def test_with_a_cache_there_are_more_keys_than_queries(spiking, assert_one_truth) -> None:
    attend = spiking(SpikingAttention())
    query, key, value = operands(keys=20)
    y = assert_one_truth(attend, lambda: attend(query[:, :, :1], key, value, None, D**-0.5))
    assert y.shape == (B, H, 1, D)
    assert torch.allclose(y, reference(query[:, :, :1], key, value, None), atol=2e-2)


def test_a_mask_longer_than_the_keys_is_cut(spiking) -> None:
    attend = spiking(SpikingAttention())
    query, key, value = operands()
    longer = F.pad(causal(), (0, 5))
    assert torch.equal(
        attend(query, key, value, longer, 0.3), attend(query, key, value, causal(), 0.3)
    )


def test_what_the_mask_hides_changes_nothing(spiking, both_paths) -> None:
    attend = spiking(SpikingAttention())
    query, key, value = operands()
    before = both_paths(attend, lambda: attend(query, key, value, padded(), D**-0.5))
    key[1, :, -3:], value[1, :, -3:] = -key[1, :, -3:], -value[1, :, -3:]
    after = both_paths(attend, lambda: attend(query, key, value, padded(), D**-0.5))
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    for old, new in zip(before[2:], after[2:], strict=True):
        assert old.sites["top.softmax.exp"].spikes == new.sites["top.softmax.exp"].spikes
        assert old.sites["top.probability"].spikes == new.sites["top.probability"].spikes


def test_a_query_that_sees_no_key_gets_zero_not_nan(spiking, both_paths) -> None:
    """The first positions of a text padded on the left."""
    attend = spiking(SpikingAttention())
    mask = causal().repeat(B, 1, 1, 1)
    mask[1, :, :, :2] = LOWEST
    fused, simulated, *_ = both_paths(attend, lambda: attend(*operands(), mask, D**-0.5))
    for y in (fused, simulated):
        assert y.isfinite().all()
        assert (y[1, :, :2] == 0).all()


def test_only_pairs_that_the_mask_allows_are_counted(spiking) -> None:
    attend = spiking(SpikingAttention())
    query, key, value = operands()
    tallies = {}
    for name in ("bidirectional", "causal"):
        with las.count_spikes(attend) as tallies[name]:
            attend(query, key, value, MASKS[name], D**-0.5)
    for site in ("softmax.exp", "probability"):
        assert tallies["bidirectional"].sites[f"top.{site}"].activations == B * H * L * L
        assert tallies["causal"].sites[f"top.{site}"].activations == B * H * (L * (L + 1) // 2)
    for part in ("scores", "context"):
        whole = tallies["bidirectional"].operations[f"top.{part}"]
        half = tallies["causal"].operations[f"top.{part}"]
        assert whole.macs == B * H * L * L * D
        assert half.macs == B * H * (L * (L + 1) // 2) * D
        assert 0 < half.sops < whole.sops


def test_synaptic_operations_of_the_products_by_brute_force(spiking) -> None:
    """Each spike of an operand adds one stored value of the other for every pair it is part of."""
    attend = spiking(SpikingAttention())
    query, key, value = operands(heads=2)
    with las.count_spikes(attend) as tally:
        attend(query, key, value, causal(), D**-0.5)
        q, k, v = (
            site(x).counts.long()
            for site, x in ((attend.query, query), (attend.key, key), (attend.value, value))
        )
    scores = context = 0
    for b in range(B):
        for h in range(H):
            for row in range(L):
                for column in range(row + 1):
                    scores += int(q[b, h, row].sum() + k[b, h // 2, column].sum())
                    context += int(v[b, h // 2, column].sum())
    assert tally.operations["top.scores"].sops == scores
    probabilities = tally.sites["top.probability"].spikes
    assert tally.operations["top.context"].sops == context + probabilities * D


def test_neurons_without_thresholds_are_a_clear_error() -> None:
    attend = SpikingAttention()
    with pytest.raises(CalibrationError, match="calibrate"):
        attend(*operands(), None, 1.0)
    with las.simulate(attend), pytest.raises(CalibrationError, match="calibrate"):
        attend(*operands(), None, 1.0)


class TestTheInterfaceOfTransformers:
    def test_it_returns_tokens_before_heads_and_no_weights(self, spiking) -> None:
        module = nn.Module()
        module.add_module(attention.CHILD, spiking(SpikingAttention()))
        query, key, value = operands()
        y, weights = attention.attend(module, query, key, value, causal())
        assert y.shape == (B, L, H, D)
        assert weights is None
        assert torch.allclose(y.transpose(1, 2), reference(query, key, value, causal()), atol=2e-2)

    def test_a_module_that_was_not_converted_attends_without_spikes_and_says_so(self) -> None:
        query, key, value = operands()
        module = nn.Module()
        module.num_key_value_groups = H // key.shape[1]
        with pytest.warns(UserWarning, match="Module attends without spikes"):
            y, _ = attention.attend(module, query, key, value, causal())
        assert torch.allclose(y.transpose(1, 2), reference(query, key, value, causal()), atol=1e-5)

    def test_without_spikes_it_does_what_pytorch_does(self) -> None:
        with pytest.raises(UnsupportedModelError, match=r"Module was not converted.*softcap"):
            attention.attend(nn.Module(), *operands(), None, softcap=30.0)

    def test_registering_twice_is_harmless(self) -> None:
        from transformers import AttentionInterface

        attention.register()
        attention.register()
        assert AttentionInterface()[attention.NAME] is attention.attend

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import las
from las.components import attention
from las.components.attention import SpikingAttention
from las.errors import UnsupportedModelError

B, H, L, D = 2, 4, 9, 8
CAP = 5.0
CAUSAL = torch.ones(L, L).tril().bool()[None, None]
BIAS = torch.zeros(1, 1, L, L).double().masked_fill(~CAUSAL, torch.finfo(torch.float64).min)


def operands() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(B, heads, L, D, generator=generator, dtype=torch.float64) for heads in (H, 2, 2)
    )
    return 3 * query, 3 * key, value


def reference(mask: Tensor | None) -> Tensor:
    return exact(*operands(), mask)


def exact(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    key, value = (x.repeat_interleave(2, dim=1) for x in (key, value))
    scores = CAP * torch.tanh(query @ key.mT * D**-0.5 / CAP)
    if mask is not None:
        scores = (
            scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        )
    return scores.softmax(-1) @ value


MASKS = {
    "bidirectional": None,
    "causal": CAUSAL,
    "biased": BIAS + torch.linspace(-2, 2, L).double(),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
def test_both_paths_agree(spiking, assert_one_truth, mask: Tensor | None) -> None:
    attend = spiking(SpikingAttention(CAP))
    y = assert_one_truth(attend, lambda: attend(*operands(), mask, D**-0.5))
    assert torch.allclose(y, reference(mask), atol=2e-2)
    uncapped = spiking(SpikingAttention())(*operands(), mask, D**-0.5)
    assert (uncapped - y).abs().max() > 0.2


def test_masked_scores_emit_no_spike(spiking) -> None:
    attend = spiking(SpikingAttention(CAP))
    with las.count_spikes(attend) as tally:
        attend(*operands(), CAUSAL, D**-0.5)
    seen = B * H * (L * (L + 1) // 2)
    site = tally.sites["top.soft_cap.site"]
    assert (site.kind, site.activations) == ("hg:tanh", seen)
    operation = tally.operations["top.soft_cap"]
    assert (operation.sops, operation.nonlinear) == (site.spikes, {"tanh": seen})


@pytest.mark.parametrize(("ours", "theirs"), [(CAP, None), (None, CAP), (CAP, 2 * CAP)])
def test_a_cap_other_than_that_of_the_module_is_refused(
    spiking, ours: float | None, theirs: float | None
) -> None:
    module = nn.Module()
    module.add_module(attention.CHILD, spiking(SpikingAttention(ours)))
    with pytest.raises(UnsupportedModelError, match="caps its scores"):
        attention.attend(module, *operands(), None, softcap=theirs)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("block", [1, 150])
def test_blocks_of_scores_fire_as_all_of_them_at_once(
    spiking, monkeypatch, mask: Tensor | None, block: int
) -> None:
    """A kernel works on some queries at a time; site by site, all scores are there."""
    attend = spiking(SpikingAttention(CAP))
    monkeypatch.setattr(attention, "BLOCK", block)
    with las.count_spikes(attend) as blocks:
        y = attend(*operands(), mask, D**-0.5)
    monkeypatch.setattr(attention, "has_kernels", lambda x: False)
    with las.count_spikes(attend) as composed:
        expected = attend(*operands(), mask, D**-0.5)
    assert torch.allclose(y, expected, rtol=0, atol=1e-13)
    assert blocks.sites == composed.sites
    assert blocks.operations == composed.operations


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("mask", [None, CAUSAL], ids=["bidirectional", "causal"])
def test_the_gradient_is_that_of_the_exact_function(
    spiking, monkeypatch, mask: Tensor | None, kernels: bool
) -> None:
    attend = spiking(SpikingAttention(CAP))
    monkeypatch.setattr(attention, "has_kernels", lambda x: kernels)
    found = []
    for function in (lambda *x: attend(*x, mask, D**-0.5), lambda *x: exact(*x, mask)):
        inputs = [x.requires_grad_() for x in operands()]
        function(*inputs).square().sum().backward()
        found.append([x.grad for x in inputs])
    for ours, theirs in zip(*found, strict=True):
        assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), 0) > 0.999

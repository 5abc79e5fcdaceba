"""Experts that are modules of their own, as users' models and older releases have them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaForCausalLM

import las
from las.components.exact import Exact
from las.components.expert_list import SpikingMixture
from las.components.experts import SpikingRouter
from las.components.running import observing
from las.conversion.registry import convert_module, converter_of
from tests.tiny_models import plain

WIDTH, INNER, EXPERTS, K = 16, 24, 4, 2


class Expert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Linear(WIDTH, INNER, bias=False)
        self.w3 = nn.Linear(WIDTH, INNER, bias=False)
        self.w2 = nn.Linear(INNER, WIDTH, bias=False)
        self.act_fn = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(self.act_fn(self.w1(x)) * self.w3(x))


class Mixture(nn.Module):
    """A block as transformers 4 had it."""

    def __init__(
        self, scores: str = "softmax", normalise: bool = True, tells: bool = False
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))
        self.scores, self.normalise, self.tells = scores, normalise, tells

    def forward(self, hidden_states: Tensor) -> Any:
        x = hidden_states.view(-1, WIDTH)
        z = self.gate(x)
        scores = z.sigmoid() if self.scores == "sigmoid" else F.softmax(z, dim=1, dtype=torch.float)
        weights, chosen = torch.topk(scores, K, dim=-1)
        if self.normalise:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        weights = weights.to(x.dtype)
        result = torch.zeros_like(x)
        mask = F.one_hot(chosen, num_classes=EXPERTS).permute(2, 1, 0)
        for number, expert in enumerate(self.experts):
            place, token = torch.where(mask[number])
            answer = expert(x[token]) * weights[token, place, None]
            result.index_add_(0, token, answer.to(x.dtype))
        result = result.view(hidden_states.shape)
        return (result, z) if self.tells else result


def block(**options: Any) -> Mixture:
    torch.manual_seed(0)
    return Mixture(**options).eval()


def model() -> Any:
    """Two layers, the second with experts."""
    llama = plain.make(
        LlamaForCausalLM,
        vocab_size=64,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        initializer_range=0.3,
    )
    llama.model.layers[1].mlp = mixture = block()
    with torch.no_grad():
        for parameter in mixture.parameters():
            parameter.normal_(0, 0.3)
    return llama


def against_the_last() -> nn.Linear:
    """A router with a bias against its last expert."""
    torch.manual_seed(1)
    gate = nn.Linear(WIDTH, EXPERTS)
    with torch.no_grad():
        gate.bias[-1] = -100
    return gate


def batches(seed: int = 1) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [{"input_ids": torch.randint(0, 64, (4, 24), generator=generator)} for _ in range(4)]


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("tells", [True, False])
def test_with_exact_neurons_a_block_computes_the_same(scores, normalise, tells) -> None:
    original = block(scores=scores, normalise=normalise, tells=tells)
    spiking = convert_module(copy.deepcopy(original))
    assert isinstance(spiking, SpikingMixture)
    assert isinstance(spiking.gate, SpikingRouter) == (scores == "softmax")
    x = torch.randn(2, 9, WIDTH, generator=torch.Generator().manual_seed(2))
    with torch.no_grad(), observing(spiking, Exact()):
        given, expected = spiking(x), original(x)
    given, expected = (y if tells else (y,) for y in (given, expected))
    for ours, theirs in zip(given, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert set(spiking.state_dict()) == set(original.state_dict())


def test_a_block_that_mixes_otherwise_is_left_alone() -> None:
    class Twice(Mixture):
        def forward(self, hidden_states: Tensor) -> Any:
            return 1.5 * super().forward(hidden_states)

    assert converter_of(Twice()) is None


@pytest.fixture(scope="module")
def converted() -> Any:
    return las.convert(model(), batches())


def test_a_model_with_such_a_block_converts(converted) -> None:
    report = converted.las_report
    assert report.output_error < 1e-3
    assert las.audit(converted, batches()[0]).clean


def test_both_paths_agree_spike_for_spike(converted) -> None:
    spiking = copy.deepcopy(converted).double()
    (batch, *_) = batches(5)
    with torch.no_grad():
        with las.count_spikes(spiking) as fused_spikes:
            fused = spiking(**batch).logits
        with las.simulate(spiking), las.count_spikes(spiking) as simulated_spikes:
            simulated = spiking(**batch).logits
    assert torch.allclose(fused, simulated, rtol=1e-9, atol=1e-9)
    counts = {name: site.spikes for name, site in fused_spikes.sites.items()}
    assert counts == {name: site.spikes for name, site in simulated_spikes.sites.items()}
    path = "model.layers.1.mlp.experts"
    tokens = batch["input_ids"].numel()
    work, sites = fused_spikes.operations, fused_spikes.sites
    assert work[path].macs == tokens * K * WIDTH
    assert work[path].sops == (
        sites[f"{path}.output_site"].spikes + sites[f"{path}.weight_site"].spikes * WIDTH
    )
    inside = [work[f"{path}.{number}.w2"].macs for number in range(EXPERTS)]
    assert sum(inside) == tokens * K * WIDTH * INNER


def test_experts_hear_no_padding(converted) -> None:
    """A padded batch counts what its texts count, each by itself."""
    spiking = copy.deepcopy(converted).double()
    ids = batches(6)[0]["input_ids"][:2, :9]
    keep = torch.ones_like(ids)
    keep[1, 4:] = 0
    counts = []
    for given in ([(ids, keep)], [(ids[:1], keep[:1]), (ids[1:, :4], keep[1:, :4])]):
        with torch.no_grad(), las.count_spikes(spiking) as spikes:
            for text, mask in given:
                spiking(input_ids=text, attention_mask=mask)
        counts.append(spikes)
    assert counts[0] == counts[1]
    with torch.no_grad(), las.simulate(spiking), las.count_spikes(spiking) as simulated:
        spiking(input_ids=ids, attention_mask=keep)
    assert simulated.sites == counts[0].sites


def test_an_expert_that_nobody_chose_takes_no_thresholds_of_channels_it_does_not_have() -> None:
    """Channels inside of other experts are others: the largest of their thresholds serve all."""
    original = model()
    original.model.layers[1].mlp.gate = against_the_last()
    with torch.no_grad():
        for expert in original.model.layers[1].mlp.experts:
            expert.w3.weight[::4] /= 8
            expert.w2.weight[:, ::4] *= 8
    with pytest.warns(UserWarning, match="never visited 1 of 4 experts"):
        spiking = las.convert(original, batches(), las.SpikeConfig(budget=1e-3))
    experts = spiking.model.layers[1].mlp.experts
    inner = [experts.get_submodule(f"{number}.w2").site.neuron for number in range(EXPERTS)]
    *visited, unvisited = inner
    assert any(neuron.shifts for neuron in visited)
    assert unvisited.shifts == ()
    lent = max(visited, key=lambda neuron: neuron.taus[-1] * 2.0 ** max(neuron.shifts, default=0))
    assert unvisited.taus[-1] == lent.taus[-1] * 2.0 ** max(lent.shifts, default=0)
    spread = max(lent.shifts, default=0) - min(lent.shifts, default=0)
    assert unvisited.time_steps == min(lent.time_steps + spread, 24)


def test_an_expert_that_nobody_chose_gets_the_largest_thresholds(tmp_path) -> None:
    original = model()
    original.model.layers[1].mlp.gate = against_the_last()
    with pytest.warns(UserWarning, match="never visited 1 of 4 experts"):
        spiking = las.convert(copy.deepcopy(original), batches())
    experts = spiking.model.layers[1].mlp.experts
    for part in ("w1", "w2"):
        taus = [experts.get_submodule(f"{number}.{part}").site.neuron.taus for number in range(4)]
        assert taus[3] == max(taus[:3], key=lambda one: one[-1])
    (batch, *_) = batches(7)
    spiking.model.layers[1].mlp.gate.bias.data[-1] = 100  # now everybody does
    original.model.layers[1].mlp.gate.bias.data[-1] = 100
    with torch.no_grad():
        given, expected = spiking(**batch).logits, original(**batch).logits
    assert (given - expected).norm() < 2e-3 * expected.norm()

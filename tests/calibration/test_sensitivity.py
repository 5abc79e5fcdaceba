"""What errors cost, against gradients worked out by hand and errors that are really made."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import MixtralForCausalLM

from las.calibration import bins
from las.calibration.batches import Tokens
from las.calibration.gradients import products_of_octaves
from las.calibration.loss import Loss
from las.calibration.sensitivity import NoGradientError, Sensitivity, by_gradients
from las.components.component import SpikingModule, share_run
from las.components.exact import Exact
from las.components.linear import SpikingLinear
from las.components.run_state import RunState
from las.components.running import observing
from las.conversion import prepare
from las.conversion.convert import calibrate
from las.errors import CalibrationError
from tests.tiny_models import plain

TOKENS = 8192
ACCURATE = 0.06  # four deviations of the mean square of so many normal draws


class Layers(nn.Module):
    """Token i is `table[i]`, which all layers read; what they make of it comes side by side."""

    def __init__(self, table: Tensor, *weights: Tensor, predicts: bool = False) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.layers = nn.ModuleList(SpikingLinear(nn.Parameter(w), None) for w in weights)
        self.predicts = predicts
        for path, part in self.named_modules():
            if isinstance(part, SpikingModule):
                part.name = path
        share_run(self, RunState())

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        x = self.table[input_ids]
        y = torch.cat([layer(x) for layer in self.layers], dim=-1)
        return SimpleNamespace(logits=y) if self.predicts else y


def batches(rows: int, tokens: int = TOKENS) -> list[dict[str, Tensor]]:
    """All tokens are the only one there is."""
    return [{"input_ids": torch.zeros(rows, tokens // rows, dtype=torch.int64)}]


X = torch.tensor([1.0, 2.0, 4.0])  # each in a bin of its own
BINS = [int(np.searchsorted(bins.edges(), float(x), side="right")) - 1 for x in X]
W = torch.tensor([[3.0, 1.0, 0.5], [-1.0, 2.0, 0.25]])
V = torch.tensor([[0.5, -2.0, 1.0]])


def costs(found: Sensitivity, site: str = "layers.0.site") -> Tensor:
    """Of the channels."""
    whole = found.costs[site]
    assert whole.sum() == pytest.approx(whole[BINS].sum())
    return torch.tensor(whole[BINS])


@pytest.mark.parametrize("rows", [1, 4])
def test_costs_of_a_linear_model_are_its_squared_weights(rows: int) -> None:
    """The error of the output, relative to its square: sum of W_ji^2 e_i^2 / sum of (W x)_j^2."""
    found = by_gradients(Layers(X[None], W), batches(rows), {})
    expected = W.square().sum(0) / (W @ X).square().sum()
    assert torch.allclose(costs(found), expected.double(), rtol=ACCURATE)
    assert found.synapses == {"layers.0.site": 2}


def test_costs_of_predictions_are_half_of_the_fisher_information() -> None:
    """p = softmax(W x): the diagonal of 1/2 W^T (diag(p) - p p^T) W."""
    logits = torch.cat([W, V])
    found = by_gradients(Layers(X[None] / 8, logits, predicts=True), batches(4), {})
    p = (logits @ X / 8).softmax(0)
    fisher = logits.T @ (p.diag() - p[:, None] * p) @ logits
    whole = found.costs["layers.0.site"]
    seen = [int(np.searchsorted(bins.edges(), float(x), side="right")) - 1 for x in X / 8]
    assert np.allclose(whole[seen], fisher.diag().numpy() / 2, rtol=0.1)


def octave(x: float) -> int:
    return bins.OCTAVES // 2 + int(np.floor(np.log2(x)))


def test_what_errors_of_a_token_do_together_is_the_rest_of_the_square() -> None:
    """(sum of W_i e_i)^2 with e_i = r_i x_i, but for (W_i e_i)^2; 1 and 1.5 share an octave."""
    x = torch.tensor([1.0, 4.0, -0.25, 1.5])
    weight = torch.tensor([[3.0, 1.0, -2.0, 0.5], [1.0, -2.0, 8.0, 0.25]])
    found = by_gradients(Layers(x[None], weight), batches(4), {}).together["layers.0.site"]
    every = (weight.T @ weight * x * x[:, None] / (weight @ x).square().sum()).double()
    for r in (*torch.eye(3).tolist(), [1.0, 1.0, 1.0], [-1.0, 0.5, 2.0]):
        relative = np.zeros(bins.OCTAVES)
        relative[[octave(1), octave(4), octave(0.25)]] = r
        error = torch.tensor([r[0], r[1], r[2], r[0]], dtype=torch.float64)
        expected = float(error @ (every - every.diag().diag()) @ error)
        assert relative @ found @ relative == pytest.approx(expected, abs=ACCURATE * 0.5)


@pytest.mark.parametrize(("shape", "token_dim"), [((2, 4, 3, 5), 2), ((2, 3, 20), 1), ((6, 20), 1)])
def test_heads_belong_to_the_same_token(shape: tuple[int, ...], token_dim: int) -> None:
    """(B, heads, L, D), (B, L, C) and (tokens, C): six tokens of 20 values each."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.rand(6, 20, generator=generator) * 8 + 1e-3
    weights = torch.randn(6, 20, generator=generator, dtype=torch.float64)

    def as_shaped(one: Tensor) -> Tensor:
        return one.view(2, 3, 4, 5).transpose(1, 2) if len(shape) == 4 else one.view(shape)

    found = products_of_octaves(as_shaped(tokens), as_shaped(weights), token_dim)
    expected = np.zeros((bins.OCTAVES, bins.OCTAVES))
    for x, w in zip(tokens.tolist(), weights.tolist(), strict=True):
        for i, j in permutations(range(20), 2):
            expected[octave(x[i]), octave(x[j])] += w[i] * w[j]
    assert np.allclose(found, expected)


def test_padding_costs_nothing() -> None:
    """Token 1, whose values lie in other bins, is padding in half of the places."""
    table = torch.stack([X, X * 32])
    ids = torch.tensor([[0, 1]]).repeat(64, 64)
    batch = {"input_ids": ids, "attention_mask": 1 - ids}
    found = by_gradients(Layers(table, W), [batch], {})
    assert costs(found).all()
    alone = by_gradients(Layers(table, W), [{"input_ids": ids[:, ::2].contiguous()}], {})
    assert torch.allclose(costs(found), costs(alone), rtol=2 * ACCURATE)


def test_readers_that_share_neurons_share_what_errors_cost() -> None:
    """An error reaches both: W and V stand below each other, and a spike is read by 2 + 1."""
    model = Layers(X[None], W, V)
    shared = by_gradients(model, batches(4), {"layers.1.site": "layers.0.site"})
    whole = torch.cat([W, V])
    expected = whole.square().sum(0) / (whole @ X).square().sum()
    assert list(shared.costs) == ["layers.0.site"]
    assert torch.allclose(costs(shared), expected.double(), rtol=ACCURATE)
    assert shared.synapses == {"layers.0.site": 3}


def test_readers_with_neurons_of_their_own_are_told_apart() -> None:
    found = by_gradients(Layers(X[None], W, V), batches(4), {})
    size = (torch.cat([W, V]) @ X).square().sum()
    for site, weight in (("layers.0.site", W), ("layers.1.site", V)):
        expected = weight.square().sum(0) / size
        assert torch.allclose(costs(found, site), expected.double(), rtol=ACCURATE)
    assert found.synapses == {"layers.0.site": 2, "layers.1.site": 1}


def test_it_is_the_same_every_time_to_the_bit_and_leaves_the_model_as_it_was() -> None:
    model = Layers(X[None], W, V)
    model.layers[1].weight.requires_grad_(False)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second = (by_gradients(model, batches(4, 64), {}) for _ in range(2))
    for site in first.costs:
        assert np.array_equal(first.costs[site], second.costs[site])
    wanted = {name: weight.requires_grad for name, weight in model.named_parameters()}
    assert wanted == {"table": True, "layers.0.weight": True, "layers.1.weight": False}
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_it_works_where_gradients_are_off() -> None:
    with torch.no_grad():
        found = by_gradients(Layers(X[None], W), batches(1, 64), {})
        assert not torch.is_grad_enabled()
    assert costs(found).all()


def test_parameters_want_gradients_again_after_an_error() -> None:
    model = Layers(X[None], W)
    with pytest.raises(CalibrationError):
        by_gradients(model, [{"input_ids": torch.full((1, 2), 7)}], {})
    assert all(weight.requires_grad for weight in model.parameters())


def test_without_batches_or_gradients_it_says_so() -> None:
    with pytest.raises(CalibrationError, match="there is none"):
        by_gradients(Layers(X[None], W), [], {})

    class Cut(Layers):
        def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
            with torch.no_grad():
                return super().forward(input_ids)

    with pytest.raises(NoGradientError):
        by_gradients(Cut(X[None], W), batches(1, 4), {})


class Disturbed:
    """Adds noise to the inputs of some sites, of a size that is relative to each.

    They read the same tensor, and see the same noise.
    """

    def __init__(self, sites: set[str], size: float) -> None:
        self._sites, self._size = sites, size
        self._generator = torch.Generator().manual_seed(0)
        self._last: tuple[Any, Any] = (None, None)

    def observe(self, site: Any, x: Tensor, importance: Any) -> Tensor:
        if site.name not in self._sites:
            return x
        if self._last[0] is not x:
            noise = self._size * torch.randn(x.shape, generator=self._generator)
            self._last = x, x + x * noise
        disturbed: Tensor = self._last[1]
        return disturbed


def text(rows: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(plain.VOCABULARY, (rows, 20), generator=generator)
    return [{"input_ids": part} for part in ids.split(8)]


@pytest.mark.parametrize(
    "site",
    [
        "model.layers.0.self_attn.q_proj.site",
        "model.layers.0.self_attn.spiking_attention.key",
        "model.layers.1.self_attn.spiking_attention.value",
        "model.layers.1.self_attn.spiking_attention.probability",
        "model.layers.0.mlp.down_proj.site",
        "model.norm.input",
        "lm_head.site",
    ],
)
def test_a_small_error_costs_what_was_predicted(llama_of_sites: Any, site: str) -> None:
    """Of a Llama: 1/2 of the sum of g^2 e^2 against the divergence that noise causes."""
    model, found, batches, shared = llama_of_sites
    edges = bins.edges()
    squares = (edges[1:] ** 3 - edges[:-1] ** 3) / (3 * (edges[1:] - edges[:-1]))
    size = 0.003
    predicted = size**2 * float((found.costs[site] * squares).sum())
    loss = Loss()
    noise = Disturbed({site, *(name for name, owner in shared.items() if owner == site)}, size)
    for batch in batches:
        with torch.no_grad():
            with observing(model, Exact()):
                expected = model(**batch)
            with observing(model, noise):
                loss.add(model(**batch), expected, Tokens(batch["input_ids"].numel()))
    assert predicted == pytest.approx(loss.mean, rel=0.35)


class Shrunk:
    """Makes the small inputs of a site smaller, as silent neurons do."""

    def __init__(self, site: str, below: float, share: float) -> None:
        self._site, self._below, self._share = site, below, share

    def observe(self, site: Any, x: Tensor, importance: Any) -> Tensor:
        if site.name != self._site:
            return x
        return torch.where(x.abs() < self._below, x * (1 - self._share), x)


@pytest.mark.parametrize("layer", [0, 1])
def test_what_small_probabilities_lose_together_was_predicted(
    llama_of_sites: Any, layer: int
) -> None:
    """Those below 1/8, of which a query loses as much of each; taken one by one they cost less."""
    model, found, batches, _ = llama_of_sites
    site, share = f"model.layers.{layer}.self_attn.spiking_attention.probability", 0.05
    edges = bins.edges()
    squares = (edges[1:] ** 3 - edges[:-1] ** 3) / (3 * (edges[1:] - edges[:-1]))
    small = edges[1:] <= 1 / 8
    alone = share**2 * float((found.costs[site] * squares)[small].sum())
    relative = np.where(np.arange(bins.OCTAVES) < octave(1 / 8), -share, 0.0)
    predicted = alone + float(relative @ found.together[site] @ relative)
    loss = Loss()
    for batch in batches:
        with torch.no_grad():
            with observing(model, Exact()):
                expected = model(**batch)
            with observing(model, Shrunk(site, 1 / 8, share)):
                loss.add(model(**batch), expected, Tokens(batch["input_ids"].numel()))
    assert predicted == pytest.approx(loss.mean, rel=0.12)
    assert alone < 0.8 * loss.mean


@pytest.fixture(scope="module")
def llama_of_sites() -> Any:
    model = plain.llama()
    batches = text(64)
    statistics, _ = calibrate(model, batches)
    shared = statistics.shared
    return model, by_gradients(model, batches, shared), batches, shared


def test_synapses_of_a_llama(llama_of_sites: Any) -> None:
    """Shared by q, k and v: 16 + 8 + 8; a key of 4 heads on 2: two queries' rows each."""
    _, found, *_ = llama_of_sites
    layer = "model.layers.0."
    assert found.synapses[f"{layer}self_attn.q_proj.site"] == 32
    assert found.synapses[f"{layer}mlp.gate_proj.site"] == 64
    assert found.synapses[f"{layer}mlp.down_proj.site"] == 16
    assert found.synapses["lm_head.site"] == plain.VOCABULARY
    assert found.synapses[f"{layer}input_layernorm.input"] == 1
    attention = f"{layer}self_attn.spiking_attention."
    keys = (1 + 20) / 2  # that a query sees, in the mean
    assert found.synapses[f"{attention}query"] == pytest.approx(keys)
    assert found.synapses[f"{attention}key"] == pytest.approx(2 * keys)
    assert found.synapses[f"{attention}value"] == pytest.approx(2 * keys)
    assert f"{layer}self_attn.k_proj.site" not in found.synapses


def test_synapses_of_experts() -> None:
    """What is multiplied lies before the projections; products element by element are cheap."""
    model = plain.make(MixtralForCausalLM, num_local_experts=4, num_key_value_heads=2)
    prepare(model)
    found = by_gradients(model, text(8), {})
    path = "model.layers.0.mlp.experts."
    for site in ("up_site", "output_site", "weight_site"):
        assert found.synapses[path + site] == 1
    assert found.synapses[path + "input_site"] > 32
    assert found.synapses[path + "down_site"] >= 16

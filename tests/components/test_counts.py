"""Spikes, digits, additions and fetches of components, against a count of all spikes one by one."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import las
from las.components.activation import SpikingActivation
from las.components.attention import SpikingAttention
from las.components.convolution import spiking_convolution
from las.components.feed_forward import SpikingGate
from las.components.linear import spiking_linear
from las.components.norm import SpikingNorm
from las.components.padding import TokenMasks
from las.components.product import SpikingProduct
from las.components.site import OATSite
from las.neurons import OAT
from las.neurons.encoding import Firing
from las.neurons.fused import fired_by_rows
from las.neurons.tally import OperationCount, SiteCount, SpikeTally
from tests.components.heard import Heard, listen, products

NEURONS = {
    "default": OAT((5.0, 320.0), (8.0,)),
    "one level": OAT((8.0,), (), 10, 1, "nearest"),
    "one signed level": OAT((8.0,), (), 12, 1, "signed"),
    "signed": OAT((8.0,), (), 9, 16, "signed"),
}


@pytest.fixture(params=NEURONS)
def neuron(request: pytest.FixtureRequest) -> OAT:
    return NEURONS[request.param]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double() * 2


def counted(component: nn.Module, forward: Any) -> SpikeTally:
    with torch.no_grad(), las.count_spikes(component) as tally:
        forward()
    return tally


def fired(site: SiteCount) -> Firing:
    return Firing(site.spikes, site.digits, site.active)


def caused(operation: OperationCount) -> Firing:
    return Firing(operation.sops, operation.additions, operation.fetches)


def early(operation: OperationCount) -> Firing:
    return Firing(operation.early_sops, operation.early_additions, operation.early_fetches)


def assert_sites(tally: SpikeTally, heard: dict[str, Firing], neuron: OAT) -> None:
    """Site by site; and what is true of every count."""
    assert {name: fired(site) for name, site in tally.sites.items()} == heard
    for site in tally.sites.values():
        if site.kind == "oat":
            assert (site.levels, site.time_steps) == (neuron.levels, neuron.time_steps)
            assert 0 < site.active <= site.spikes <= site.digits
            assert site.active <= site.activations
        else:
            assert (site.levels, site.digits, site.active) == (1, site.spikes, site.spikes)
    for operation in tally.operations.values():
        assert operation.fetches <= operation.sops <= operation.additions
        if neuron.levels == 1:
            assert operation.additions == operation.sops


def test_a_linear_layer(spiking, neuron: OAT) -> None:
    layer = spiking(spiking_linear(nn.Linear(6, 10)), neuron)
    x = randn(2, 3, 6)
    heard = listen(layer, lambda: layer(x))["top.site"]
    tally = counted(layer, lambda: layer(x))
    assert_sites(tally, {"top.site": heard.times(1)}, neuron)
    assert caused(tally.operations["top"]) == heard.times(10)
    assert early(tally.operations["top"]) == Firing()


def test_padding_of_a_linear_layer_costs_nothing(spiking, neuron: OAT) -> None:
    layer = spiking(spiking_linear(nn.Linear(6, 10)), neuron)
    x = randn(2, 3, 6)
    keep = torch.tensor([[True, True, True], [False, True, True]])
    heard = listen(layer, lambda: layer(x))["top.site"]
    with layer.run.within(TokenMasks(keep=keep)):
        tally = counted(layer, lambda: layer(x))
    tokens = keep.flatten()[:, None]
    assert_sites(tally, {"top.site": heard.times(tokens)}, neuron)
    assert caused(tally.operations["top"]) == heard.times(10 * tokens)


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 1, 1), (2, 0, 2), (2, 2, 4)])
def test_a_convolution(spiking, neuron: OAT, stride: int, padding: int, groups: int) -> None:
    """An input is read by as many outputs as there are windows over it, in its group."""
    conv = nn.Conv2d(4, 8, 3, stride, padding, groups=groups)
    layer = spiking(spiking_convolution(conv), neuron)
    x = randn(2, 4, 5, 6)
    heard = listen(layer, lambda: layer(x))["top.site"]  # (B, H, W, in)
    rows, columns = conv(x).shape[-2:]
    reads = torch.zeros(5, 6, dtype=torch.int64)
    for i, j, a, b in product(range(rows), range(columns), range(3), range(3)):
        row, column = i * stride + a - padding, j * stride + b - padding
        if 0 <= row < 5 and 0 <= column < 6:
            reads[row, column] += 8 // groups
    tally = counted(layer, lambda: layer(x))
    assert_sites(tally, {"top.site": heard.times(1)}, neuron)
    assert caused(tally.operations["top"]) == heard.times(reads[..., None])


MASKS = {
    "all": torch.ones(1, 1, 4, 5, dtype=torch.bool),
    "causal": torch.ones(1, 1, 4, 5, dtype=torch.bool).tril(1),
    "padded": (torch.arange(5) < torch.tensor([[5], [3]])).view(2, 1, 1, 5),
    "of each head": torch.rand(2, 4, 4, 5, generator=torch.Generator().manual_seed(1)) < 0.6,
}


@pytest.mark.parametrize("path", ["kernel", "blocks", "site by site"])
@pytest.mark.parametrize("heads", [4, 2, 1])
@pytest.mark.parametrize("mask", MASKS)
def test_attention(spiking, monkeypatch, neuron: OAT, mask: str, heads: int, path: str) -> None:
    """Of grouped heads, a key or value is read by each query of each head of its group."""
    from las.components import attention

    attend = spiking(SpikingAttention(), neuron)
    attend.probability.neuron = OAT((2.0,), (), 10, neuron.levels, neuron.rounding)
    query, key, value = randn(2, 4, 4, 3), randn(2, heads, 5, 3, seed=1), randn(2, heads, 5, 2)
    seen = MASKS[mask].expand(2, MASKS[mask].shape[1], 4, 5)

    def forward() -> Tensor:
        context: Tensor = attend(query, key, value, seen, 0.4)
        return context

    heard = listen(attend, forward)
    if path == "blocks":
        monkeypatch.setattr(attention, "BLOCK", 30)
    elif path == "site by site":
        monkeypatch.setattr(attention, "has_kernels", lambda x: False)
    tally = counted(attend, forward)
    pairs = seen.expand(2, 4, 4, 5)
    for part, left, right, width, keys in (
        ("scores", "query", "key", 3, "columns"),
        ("context", "probability", "value", 2, "rows"),
    ):
        both, of_right, macs = products(
            heard[f"top.{left}"], heard[f"top.{right}"], pairs, width, keys
        )
        operation = tally.operations[f"top.{part}"]
        assert caused(operation) == both
        assert early(operation) == of_right
        assert operation.macs == macs
    for site in ("query", "key", "value"):
        assert fired(tally.sites[f"top.{site}"]) == heard[f"top.{site}"].times(1)
    weighing = heard["top.probability"]
    assert fired(tally.sites["top.probability"]) == weighing.times(pairs)
    assert weighing.times(~pairs) == Firing()
    assert tally.sites["top.probability"].activations == int(pairs.sum())
    if neuron.levels == 1:
        for operation in tally.operations.values():
            assert operation.additions == operation.sops


def test_padded_queries_of_attention_cost_nothing(spiking, neuron: OAT) -> None:
    attend = spiking(SpikingAttention(), neuron)
    operands = randn(2, 2, 4, 3), randn(2, 1, 4, 3, seed=1), randn(2, 1, 4, 2)
    keep = torch.arange(4) < torch.tensor([[4], [2]])
    mask = keep[:, None, None]
    heard = listen(attend, lambda: attend(*operands, mask, 0.4))
    with attend.run.within(TokenMasks(keep=keep)):
        tally = counted(attend, lambda: attend(*operands, mask, 0.4))
    pairs = (keep[:, None, None] & keep[:, None, :, None]).expand(2, 2, 4, 4)
    for part, left, right, width, keys in (
        ("scores", "query", "key", 3, "columns"),
        ("context", "probability", "value", 2, "rows"),
    ):
        both, of_right, _ = products(
            heard[f"top.{left}"], heard[f"top.{right}"], pairs, width, keys
        )
        assert caused(tally.operations[f"top.{part}"]) == both
        assert early(tally.operations[f"top.{part}"]) == of_right
    there = keep[:, None, :, None]
    for site in ("query", "key", "value"):
        assert fired(tally.sites[f"top.{site}"]) == heard[f"top.{site}"].times(there)
    assert fired(tally.sites["top.probability"]) == heard["top.probability"].times(pairs)


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("heads", [3, 1])
def test_a_product_of_two_tensors(spiking, neuron: OAT, heads: int, simulated: bool) -> None:
    component = spiking(SpikingProduct(), neuron)
    left, right = randn(2, 3, 4, 5), randn(2, heads, 5, 6, seed=1)
    heard: dict[str, Heard] = {}
    for name, x in (("left", left), ("right", right)):
        site = getattr(component, name)
        with torch.no_grad():
            heard[name] = Heard.of(site, x, list(site.steps(x, count=False)))
    tally = SpikeTally()
    with component.run.counted(tally):
        if simulated:
            with las.simulate(component):
                component(left, right)
        else:
            component(left, right)
    of_left, of_right = Firing(), Firing()
    for n, h, i, k, j in product(range(2), range(3), range(4), range(5), range(6)):
        of_left += heard["left"].at(n, h, i, k)
        of_right += heard["right"].at(n, min(h, heads - 1), k, j)
    assert caused(tally.operations["top"]) == of_left + of_right
    assert early(tally.operations["top"]) == of_right
    assert_sites(tally, {f"top.{name}": one.times(1) for name, one in heard.items()}, neuron)


class Gate(SpikingGate):
    """Its two currents are the halves of its input."""

    def currents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = x.chunk(2, dim=-1)
        return gate, up

    def _down(self, product: Tensor) -> Tensor:
        return product


def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    from las.components import attention, feed_forward, norm

    for module in (attention, feed_forward, norm):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_a_gated_product(spiking, monkeypatch, neuron: OAT, padded: bool, kernels: bool) -> None:
    """Each spike of either side is read once; those of the function have weights of their own."""
    gate = spiking(Gate({}, SpikingActivation("silu")), neuron)
    x = randn(2, 3, 8)
    heard = listen(gate, lambda: gate(x))
    keep = torch.tensor([[True, True, True], [not padded, True, not padded]])
    if not kernels:
        without_kernels(monkeypatch)
    with gate.run.within(TokenMasks(keep=keep)):
        tally = counted(gate, lambda: gate(x))
    sites = {name: heard[name].times(keep[..., None]) for name in heard.calls}
    assert len(sites) == 2
    assert_sites(tally, sites, neuron)
    assert caused(tally.operations["top"]) == sum(sites.values(), Firing())


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("centred", [True, False])
def test_a_norm(
    spiking, monkeypatch, neuron: OAT, centred: bool, padded: bool, kernels: bool
) -> None:
    """One spike of the inverse square root is read by all channels of its token."""
    norm = spiking(SpikingNorm(None, None, eps=1e-5, centred=centred), neuron)
    x = randn(2, 3, 8)
    x = x - x.mean(-1, keepdim=True)
    heard = listen(norm, lambda: norm(x))
    keep = torch.tensor([[True, True, True], [not padded, True, not padded]])
    if not kernels:
        without_kernels(monkeypatch)
    with norm.run.within(TokenMasks(keep=keep)):
        tally = counted(norm, lambda: norm(x))
    counts = keep[..., None]
    sites = {name: heard[name].times(counts) for name in heard.calls}
    assert len(sites) == 4
    assert_sites(tally, sites, neuron)
    read = {name: counts * (8 if name == "top.inverse_sqrt" else 1) for name in sites}
    expected = sum((heard[name].times(read[name]) for name in sites), Firing())
    assert caused(tally.operations["top"]) == expected


def test_silence_is_counted_as_silence(spiking, neuron: OAT) -> None:
    layer = spiking(spiking_linear(nn.Linear(6, 10)), neuron)
    tally = counted(layer, lambda: layer(torch.zeros(3, 6).double()))
    assert fired(tally.sites["top.site"]) == caused(tally.operations["top"]) == Firing()
    assert tally.sites["top.site"].activations == 18


def test_a_relu_before_it_makes_half_of_the_inputs_inactive(spiking, neuron: OAT) -> None:
    layer = spiking(spiking_linear(nn.Linear(500, 1)), neuron)
    x = F.relu(randn(4, 500)) + 0.0
    site = counted(layer, lambda: layer(x)).sites["top.site"]
    smallest = 8.0 * 2.0**-9
    assert site.active <= int((x > 0).sum())
    assert site.active >= int((x > smallest).sum())


def test_rows_of_spikes_are_summed_once_where_padding_is_known() -> None:
    site = OATSite(token_dim=2)
    site.neuron = OAT((5.0, 320.0), (8.0,))
    x, keep = torch.randn(2, 3, 4, 8), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=torch.bool)
    with site.run.counted(SpikeTally()), site.run.within(TokenMasks(keep=keep)):
        coded = site(x)
    assert coded.packed is not None and coded.rows is not None
    assert not coded.packed[1, :, 2:].any()
    for kept, summed in zip(coded.rows, fired_by_rows(coded.packed), strict=True):
        assert torch.equal(kept, summed)
    assert coded.spikes == int(coded.rows[0].sum()) > 0

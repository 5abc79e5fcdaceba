"""The accounts of networks that others made: by hand, by loops, and as those of converted ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

import las
from las.energy import HARDWARE, accounts, verdict
from las.foreign import account
from las.foreign.error import AccountError
from las.spikes.events import SiteEvents
from tests.energy.test_accounts import ROUND
from tests.foreign.networks import Attention, Deep, Fire, Given
from tests.tiny_models import plain

DIGITS = (0, 1, 1, 2)
"""Nonzero signed binary digits of 0 to 3, which is 4 - 1."""


def graded(*shape: int, seed: int = 0) -> Tensor:
    """Spikes of levels -3 to 3, most of them silent."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(-3, 4, shape, generator=generator)
    return (levels * (torch.rand(shape, generator=generator) < 0.5)).float()


def spiking_layer() -> nn.Sequential:
    """Three neurons between two layers; the first has no bias, and weights of 0 and +-1."""
    net = nn.Sequential(nn.Linear(2, 3, bias=False), Fire(), nn.Linear(3, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-1, 0]]))
    return net


def test_every_count_of_a_small_network_by_hand() -> None:
    """T = 3, currents 0.53, 1.07 and -0.53: the first neuron fires at t = 2, the second always."""
    found = account(spiking_layer(), [torch.tensor([[[0.53, 1.07]]] * 3)], 3, neurons=["1"])
    first, second = found.spikes.operations["0"], found.spikes.operations["2"]
    assert (first.kind, first.dense_macs, first.macs) == ("linear", 3 * 6, 6)
    assert (first.sops, first.additions, first.fetches) == (0, 0, 0)
    assert (first.inputs, first.outputs, first.weights) == (2, 3, 6)
    assert (second.kind, second.dense_macs, second.macs) == ("linear", 0, 6)
    assert (second.sops, second.additions, second.fetches) == (4 * 2, 4 * 2, 2 * 2)
    assert (second.inputs, second.outputs, second.weights) == (3, 2, 6)
    site = found.spikes.sites["1"]
    assert (site.time_steps, site.activations, site.levels) == (3, 3, 1)
    assert (site.spikes, site.digits, site.active) == (4, 4, 2)


def test_every_account_of_it_by_hand() -> None:
    """An addition is 1 pJ, a MAC 4; 32 bits are 1 pJ near and 40 far, where two tokens share."""
    found = account(spiking_layer(), [torch.tensor([[[0.53, 1.07]]] * 3)], 3).accounts(ROUND)
    paper = found["paper"]
    assert paper.snn is not None and paper.ann is not None
    assert paper.snn.total == pytest.approx(18 * 4.6 + 8 * 0.9)
    assert paper.ann.total == pytest.approx(12 * 4.6)
    # 3 neurons are compared in 3 steps, and 4 spikes reset.
    plain = found["graded_fp32"]
    assert plain.snn is not None and plain.ann is not None
    assert (plain.snn.total, plain.ann.total) == (18 * 4 + 8 + (9 + 4), 12 * 4)
    # Near: every MAC and every input that fires reads. Far: the first layer needs all of its six
    # weights, the second one those of 1 - (1 - 2/3)^2.
    once, twice = found["neuron_major_fp32"], found["time_major_fp32"]
    assert once.snn is not None and once.ann is not None and twice.snn is not None
    assert once.snn.weights == pytest.approx(18 + 4 + (6 + 6 * 8 / 9) / 2 * 40)
    assert (once.snn.states, once.snn.events) == (3 + 2 + 3, 2 * 4)
    assert twice.snn.weights - once.snn.weights == pytest.approx(8 - 4)
    assert twice.snn.states == 3 + 2 + 2 * 3 * 3
    assert once.ann.weights == 12 + 12 / 2 * 40
    assert once.ann.activations == (2 + 3) + (3 + 2)
    assert all(one.last == one.snn for one in found.accounts)  # there is no product


def test_the_tally_is_complete_and_its_accounts_are_those_of_any() -> None:
    found = account(Deep(4, stepwise=False), [torch.rand(3, 2, 6, 6)], 4)
    here = found.accounts()
    assert here.accounts == accounts(found.spikes).accounts
    assert not any(one.missing for one in here.accounts)
    assert len(here.accounts) == 1 + 3 * 3  # FP32, BF16 and INT8 after Eq. 25
    assert here["paper"].ratio == pytest.approx(found.energy.total.ratio)
    assert "of the ANN's energy" in verdict(here)
    first = found.spikes.operations["first"]
    assert here.layers.effective_macs == first.dense_macs  # all others read spikes of one size
    with pytest.raises(ValueError, match="hardware must be"):
        found.accounts("loihi")  # type: ignore[arg-type]


def test_a_chip_that_only_adds_is_charged_where_all_reads_spikes() -> None:
    loihi = HARDWARE["loihi"]
    spiking = account(nn.Sequential(Given(graded(2, 3, 4)), nn.Linear(4, 5)), [torch.zeros(1)], 2)
    (first, _) = spiking.accounts(loihi)["synapses"].rows
    assert first.snn.arithmetic == pytest.approx(23.6 * spiking.spikes.operations["1"].additions)
    found = account(Deep(4, stepwise=False), [torch.rand(3, 2, 6, 6)], 4).accounts(loihi)
    assert found["paper"].ratio is not None
    assert (found["synapses"].snn, found["synapses"].last) == (None, None)
    missing = "Loihi, 14 nm only adds, and there are no spikes to read for first"
    assert found["synapses"].missing == missing


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=False), (4, 5, 4)),
        (nn.Conv2d(2, 3, 2, dilation=2, padding=(0, 1), bias=False), (2, 4, 3)),
        (nn.Conv1d(3, 3, 2, groups=3, bias=False), (3, 5)),
    ],
    ids=["strided", "dilated", "depthwise"],
)
def test_a_convolution_against_a_loop_over_outputs_and_weights(
    layer: Any, shape: tuple[int, ...]
) -> None:
    """Every output walks over its kernel, and asks each input that lies inside what it fires."""
    steps, batch = 3, 2
    spikes = graded(steps, batch, *shape)
    outputs, inputs = layer.weight.shape[:2]
    reads = 0
    counted = {"sops": 0, "additions": 0, "fetches": 0}
    space = layer(spikes[0]).shape[2:]
    for n, channel, *place in product(range(batch), range(outputs), *map(range, space)):
        for source, *tap in product(range(inputs), *map(range, layer.kernel_size)):
            reads += 1
            at = [
                start * stride + step * dilation - pad
                for start, stride, step, dilation, pad in zip(
                    place, layer.stride, tap, layer.dilation, layer.padding, strict=True
                )
            ]
            if all(0 <= i < size for i, size in zip(at, shape[1:], strict=True)):
                of_group = channel // (outputs // layer.groups) * inputs + source
                fired = [abs(int(x)) for x in spikes[(slice(None), n, of_group, *at)]]
                counted["sops"] += sum(level > 0 for level in fired)
                counted["additions"] += sum(DIGITS[level] for level in fired)
                counted["fetches"] += any(fired)
    net = nn.Sequential(Given(spikes.flatten(0, 1)), layer)
    count = account(net, [torch.zeros(1)], steps).spikes.operations["1"]
    assert {name: getattr(count, name) for name in counted} == counted
    assert count.additions > count.sops > count.fetches
    assert count.macs == reads
    assert count.inputs == spikes[0].numel()
    assert count.outputs == layer(spikes[0]).numel()
    assert count.weights == layer.weight.numel()


def test_a_product_against_a_loop_over_its_terms() -> None:
    """Every spike of one operand is read by the rows, or columns, of the other one."""
    steps, heads, rows, inner, columns = 3, 2, 4, 3, 5
    left, right = graded(steps, heads, rows, inner), graded(steps, heads, inner, columns, seed=1)

    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return left @ right

    caused = [dict.fromkeys(("sops", "additions", "fetches"), 0) for _ in range(2)]
    terms = 0
    for h, i, j, k in product(range(heads), range(rows), range(inner), range(columns)):
        terms += 1
        for counted, train in zip(caused, (left[:, h, i, j], right[:, h, j, k]), strict=True):
            fired = [abs(int(x)) for x in train]
            counted["sops"] += sum(level > 0 for level in fired)
            counted["additions"] += sum(DIGITS[level] for level in fired)
            counted["fetches"] += any(fired)
    found = account(Product(), [torch.zeros(1)], steps)
    count = found.spikes.operations["product"]
    for name in ("sops", "additions", "fetches"):
        assert getattr(count, name) == sum(each[name] for each in caused)
        assert getattr(count, f"early_{name}") == caused[1][name]
    assert (count.macs, count.weights) == (terms, 0)
    assert count.inputs == heads * (rows * inner + inner * columns)
    assert count.outputs == heads * rows * columns
    graded_fp32 = found.accounts(ROUND)["graded_fp32"]
    assert graded_fp32.rows[0].last is not None
    assert graded_fp32.rows[0].last.total == caused[0]["additions"]


def test_numbers_of_one_pass_do_not_depend_on_how_time_runs() -> None:
    x = torch.rand(3, 2, 6, 6)
    for stepwise in (False, True):
        found = account(Deep(4, stepwise), [x, x[:2]], 4).spikes.operations
        assert [found[name].inputs for name in found] == [5 * 2 * 36, 5 * 3 * 36, 5 * 16]
        assert [found[name].outputs for name in found] == [5 * 3 * 36, 5 * 4 * 4, 5 * 5]
        assert [found[name].weights for name in found] == [2 * 3 * 9, 3 * 4 * 9, 16 * 5]


def test_a_weight_that_is_expanded_is_stored_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 4))

        def forward(self, x: Tensor) -> Tensor:
            return torch.bmm(x, self.weight.expand(len(x), -1, -1))

    count = account(Shared(), [graded(2, 3, 5)], 2).spikes.operations["linear_1"]
    assert (count.weights, count.inputs, count.outputs) == (20, 15, 12)


def trains(events: SiteEvents) -> Tensor:
    """The weighted spikes of a site, (T, *the shape of its input)."""
    spikes = torch.zeros(
        *(events.time_steps, events.positions_in_all, events.channels_in_all), dtype=torch.float64
    )
    at = (torch.as_tensor(x.astype("int64")) for x in (events.times - 1, events.positions))
    spikes[(*at, torch.as_tensor(events.channels.astype("int64")))] = torch.as_tensor(events.values)
    return spikes.view(events.time_steps, *events.shapes[0])


class Replay(nn.Module):
    """Spikes, step by step, through a layer or into a product."""

    def __init__(self, reader: nn.Module, *trains: Tensor) -> None:
        super().__init__()
        self.reader, self.trains = reader, trains

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.reader(*step) for step in zip(*self.trains, strict=True)]).sum(0)


class Scores(nn.Module):
    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.mT


def test_spikes_of_a_converted_model_that_are_replayed_have_its_accounts() -> None:
    """One band and one level, so that neurons compare no more than ordinary ones do."""
    ids = [{"input_ids": batch["input_ids"]} for batch in plain.batches(8)]
    bert = plain.make(BertModel, num_hidden_layers=1)
    model = las.convert(bert, ids, las.SpikeConfig(time_steps=8, levels=1, bands=1))
    dense = "encoder.layer.0.output.dense"
    attention = "encoder.layer.0.attention.self.spiking_attention"
    sites = [f"{dense}.site", f"{attention}.query", f"{attention}.key"]
    with las.count_spikes(model) as spikes, torch.no_grad():
        model(**ids[0])
    coded = las.spike_events(model, ids[0], sites)
    ours = accounts(spikes)

    fired, *of_scores = (trains(coded[site]).float() for site in sites)
    found = account(Replay(nn.Linear(32, 16), fired), [torch.zeros(1)], 8)
    assert found.step_mode == "s"
    expected = replace(spikes.operations[dense], layer="reader")
    assert expected.sops > expected.fetches > 0
    assert found.spikes.operations["reader"] == expected
    theirs = found.accounts()
    for one in theirs.accounts:
        if one.slug in ("graded_fp32", "neuron_major_int8", "time_major_fp32"):
            rows = {row.name: row for row in ours[one.slug].rows}
            assert one.rows[0] == replace(rows[dense], name="reader")
            assert one.rows[1] == replace(rows[sites[0]], name="reader.input")

    found = account(Replay(Scores(), *of_scores), [torch.zeros(1)], 8)
    expected = replace(spikes.operations[f"{attention}.scores"], layer="reader")
    assert found.spikes.operations["reader.product"] == expected
    assert found.accounts()["graded_fp32"].rows[0] == replace(
        next(row for row in ours["graded_fp32"].rows if row.name == f"{attention}.scores"),
        name="reader.product",
    )


def test_a_network_of_spikingjelly_has_all_accounts() -> None:
    neuron = pytest.importorskip(
        "spikingjelly.activation_based.neuron",
        reason="SpikingJelly is not installed: pip install --no-deps spikingjelly loguru",
    )
    from spikingjelly.activation_based import functional, layer

    torch.manual_seed(0)
    net = nn.Sequential(
        *(layer.Conv2d(2, 4, 3, padding=1), layer.BatchNorm2d(4), neuron.IFNode()),
        *(layer.Conv2d(4, 4, 3, stride=2), neuron.LIFNode(), layer.Flatten()),
        layer.Linear(16, 5),
    )
    functional.set_step_mode(net, "m")
    found = account(net, [4 * torch.rand(1, 3, 2, 6, 6).repeat(4, 1, 1, 1, 1)], 4)
    here = found.accounts()
    for one in here.accounts:
        assert not one.missing and one.ratio is not None and one.last_ratio == one.ratio
    conv = found.spikes.operations["3"]
    assert (conv.inputs, conv.outputs, conv.weights) == (3 * 4 * 36, 3 * 4 * 4, 4 * 4 * 9)
    assert here["graded_fp32"].grouped(lambda row: row.kind)["neurons"].snn.arithmetic > 0
    assert (found.analog, found.unread) == ((), ())


def test_what_the_last_operand_costs_is_open_where_the_left_one_is_no_spike_train() -> None:
    spikes = (graded(2, 1, 3, 4) != 0).float()
    weights = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(0))

    class Weighed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return weights @ spikes

    found = account(Weighed(), [torch.zeros(1)], 2)
    assert found.right_alone == ("product",)
    assert all(one.last is None and one.snn is not None for one in found.accounts().accounts)
    assert "last operand unknown      product: only the right one is a spike train" in str(found)
    whole = account(Attention(spikes, spikes, spikes), [torch.zeros(1)], 2)
    assert whole.right_alone == ()
    assert all(one.last is not None for one in whole.accounts().accounts)


@torch.library.custom_op("las_tests::fused", mutates_args=())
def fused(x: Tensor, weight: Tensor) -> Tensor:
    return x @ weight.mT


class Hidden(nn.Module):
    """A linear layer that reads spikes, and something that nobody can look into."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        self.layer(x)
        return self.function(x, x, x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (F.scaled_dot_product_attention, "scaled_dot_product_attention"),
        (lambda x, y, z: fused(x, y), "las_tests.fused"),
        (lambda x, y, z: torch.einsum("tij,tkj,tkl->til", x, y, z), "einsum"),
        (lambda x, y, z: torch.einsum("tij,tkj,tkl->til", [x, y, z]), "einsum"),
        (nn.MultiheadAttention(4, 2), "function: multi_head_attention_forward"),
        (lambda x, y, z: nn.LSTM(4, 3)(x), "lstm"),
    ],
    ids=["attention", "custom", "einsum", "einsum-list", "multihead", "lstm"],
)
def test_what_cannot_be_looked_into_is_said(function: Callable[..., Any], name: str) -> None:
    spikes = (graded(2, 3, 4) != 0).float()
    found = account(Hidden(function), [spikes], 2)
    assert len(found.unread) == 1 and found.unread[0].startswith(name)
    assert [*found.spikes.operations] == ["layer"]
    assert f"cannot be looked into     {found.unread[0]}: in no account" in str(found)
    assert f"- cannot be looked into: {found.unread[0]}: in no account" in found.to_markdown()
    assert account(Hidden(function), [spikes], 2, hooks=["layer"]).unread == ()


def test_a_model_of_which_nothing_can_be_looked_into_is_refused() -> None:
    class Attends(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x)

    with pytest.raises(AccountError, match="can be looked into, but scaled_dot_product_attention"):
        account(Attends(), [graded(2, 3, 4)], 2)


def test_the_report_shows_all_accounts() -> None:
    found = account(Deep(4, stepwise=False), [torch.rand(3, 2, 6, 6)], 4)
    ratios = {one.slug: one.ratio for one in found.accounts().accounts}
    lines = str(found).splitlines()
    head = next(line for line in lines if line.startswith("on 45 nm (Horowitz 2014)"))
    assert head.split()[-3:] == ["FP32", "BF16", "INT8"]
    for plan, title in (("graded", "graded spikes"), ("time_major", "memory, time-major")):
        row = next(line for line in lines if line.startswith(f"  {title}"))
        assert row.split()[-3:] == [
            f"{ratios[f'{plan}_{n}']:.3f}" for n in ("fp32", "bf16", "int8")
        ]
    table = found.to_markdown().splitlines()
    assert [line.split(" | ")[0] for line in table[2:4]] == [
        "| 1 Eq. 25",
        "| 2 FP32, graded spikes",
    ]
    assert table[-1] == "- no spikes to read: first: charged as 23,328 MACs, as papers do"

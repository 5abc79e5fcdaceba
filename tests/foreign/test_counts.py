"""Counts worked out by hand, and against a loop over every synapse."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from las.foreign import account
from las.foreign.levels import levels_of
from las.neurons.encoding import digits_of
from tests.foreign.networks import Attention, Deep, Given

MAC, AC = 4.6, 0.9


def test_a_convolution_and_a_linear_layer_by_hand() -> None:
    """T = 2, one image of 3 x 3, a 2 x 2 kernel for two channels, then 8 inputs and 3 outputs."""
    spikes = torch.zeros(2, 1, 1, 3, 3)
    spikes[0, 0, 0, 0, 0] = 1  # a corner: one place of the kernel, 2 channels
    spikes[0, 0, 0, 1, 1] = 1  # the centre: four places
    spikes[1, 0, 0, 1, 1] = 1  # and once more
    spikes[1, 0, 0, 0, 1] = -1  # an edge: two places
    hidden = torch.zeros(2, 1, 8)
    hidden[0, 0, [0, 3]] = 1
    hidden[1, 0, 3] = 1
    net = nn.Sequential(
        Given(spikes.flatten(0, 1)), nn.Conv2d(1, 2, 2), Given(hidden), nn.Linear(8, 3)
    )
    found = account(net, [torch.zeros(1, 9)], 2, neurons=["0", "2"])
    convolution, linear = found.spikes.operations["1"], found.spikes.operations["3"]
    assert (convolution.sops, convolution.fetches) == (2 * (1 + 4 + 4 + 2), 2 * (1 + 4 + 2))
    assert convolution.macs == 4 * 2 * 4  # four places, two channels, four weights each
    assert (linear.sops, linear.additions, linear.fetches) == (3 * 3, 3 * 3, 2 * 3)
    assert linear.macs == 24
    pixels, neurons = found.spikes.sites["0"], found.spikes.sites["2"]
    assert (pixels.activations, pixels.spikes, pixels.active) == (9, 4, 3)
    assert (neurons.activations, neurons.spikes, neurons.active, neurons.levels) == (8, 3, 2, 1)
    assert neurons.firing_rate == 3 / 16
    assert found.energy.total.ratio == pytest.approx((22 + 9) * AC / ((32 + 24) * MAC))
    assert found.dense == found.outside_of_time == ()


def test_what_reads_no_spikes_is_charged_as_often_as_it_runs() -> None:
    net = Deep(4, stepwise=False)
    found = account(net, [torch.rand(3, 2, 6, 6)], 4)
    first = found.spikes.operations["first"]
    assert found.dense == ("first",)
    assert (first.kind, first.sops) == ("linear", 0)
    assert first.macs == 3 * (3 * 36) * (2 * 9)
    assert first.dense_macs == 4 * first.macs
    row = next(row for row in found.energy.rows if row.name == "first")
    assert row.ratio == pytest.approx(4)
    assert "no spikes to read         first: charged as 23,328 MACs" in str(found)


def test_time_in_dimension_0_and_a_call_at_each_step_are_the_same() -> None:
    x = torch.rand(3, 2, 6, 6)
    at_once = account(Deep(4, stepwise=False), [x, x[:2]], 4)
    stepwise = account(Deep(4, stepwise=True), [x, x[:2]], 4)
    assert (at_once.step_mode, stepwise.step_mode) == ("m", "s")
    assert at_once.spikes == stepwise.spikes
    counts = at_once.spikes.operations
    assert min(counts["second"].sops, counts["head"].sops) > 0
    assert 0 < counts["second"].fetches < counts["second"].sops


def test_a_loop_over_time_outside_of_the_model() -> None:
    class Step(Deep):
        def forward(self, x: Tensor) -> Tensor:
            return self.step(x)

    def run(model: Any, x: Tensor) -> None:
        model.fire.v = model.fire_again.v = 0.0
        for _ in range(4):
            model(x)

    x = torch.rand(3, 2, 6, 6)
    found = account(Step(4, stepwise=True), [x], 4, forward=run)
    assert found.spikes == account(Deep(4, stepwise=True), [x], 4).spikes


def test_a_head_after_the_average_over_time_runs_once() -> None:
    class Averaged(Deep):
        def forward(self, x: Tensor) -> Tensor:
            steps = (4, len(x))
            fired = self.fire(self.first(x.repeat(4, 1, 1, 1)).unflatten(0, steps))
            fired = self.fire_again(self.second(fired.flatten(0, 1)).unflatten(0, steps))
            return self.head(fired.flatten(2).mean(0) / 3 + 0.1)

    found = account(Averaged(4, stepwise=False), [torch.rand(8, 2, 6, 6)], 4)
    assert found.outside_of_time == ("head",)
    head = found.spikes.operations["head"]
    assert head.macs == 8 * 16 * 5


CONVOLUTIONS = [
    (nn.Conv1d(2, 3, 3, padding=1), (2, 7)),
    (nn.Conv1d(4, 6, 2, stride=3, groups=2), (4, 8)),
    (nn.Conv2d(2, 2, 3, padding="same", dilation=2), (2, 5, 6)),
    (nn.Conv2d(4, 4, 3, stride=2, padding=(1, 0), groups=4), (4, 6, 5)),
    (nn.Conv3d(1, 2, 2, stride=(1, 2, 1)), (1, 3, 4, 3)),
    (nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1), (2, 4)),
    (nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, groups=2), (2, 3, 3)),
    (nn.Linear(5, 4), (3, 5)),
]


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda x: str(x)[:40])
def test_synaptic_operations_are_the_outputs_that_each_spike_moves(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    """Brute force: each spike goes alone through the layer, all of whose weights are 1."""
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(2, 2, *shape, generator=generator) < 0.3).float()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.fill_(0 if name == "bias" else 1)
        moved, fetched = 0, 0
        for n, place in product(range(2), product(*map(range, shape))):
            one = torch.zeros(1, *shape)
            one[(0, *place)] = 1
            outputs = int(layer(one).sum())
            moved += outputs * int(spikes[(slice(None), n, *place)].sum())
            fetched += outputs * int(spikes[(slice(None), n, *place)].any())
    net = nn.Sequential(Given(spikes.flatten(0, 1)), layer)
    count = account(net, [torch.zeros(1)], 2).spikes.operations["1"]
    assert (count.sops, count.fetches) == (moved, fetched)


def test_graded_spikes_are_charged_by_their_digits_too() -> None:
    """Levels 0, 1, 3, 7 of 0.25: 3 = 4 - 1 and 7 = 8 - 1 have two digits each."""
    spikes = 0.25 * torch.tensor([[[1.0, -3, 0, 0]], [[7.0, 0, 0, 1]]])
    net = nn.Sequential(Given(spikes), nn.Linear(4, 10))
    found = account(net, [torch.zeros(1)], 2).spikes
    count, site = found.operations["1"], found.sites["1.input"]
    assert (count.sops, count.additions, count.fetches) == (40, 60, 30)
    assert (site.spikes, site.digits, site.levels, site.active) == (4, 6, 3, 3)


def test_a_factor_of_its_own_for_each_time_step() -> None:
    theta = 2.0 ** -torch.arange(1, 9).view(8, 1, 1)
    spikes = theta * (torch.rand(8, 2, 6, generator=torch.Generator().manual_seed(1)) < 0.5)
    found = account(nn.Sequential(Given(spikes), nn.Linear(6, 2)), [torch.zeros(1)], 8).spikes
    assert found.operations["1"].sops == 2 * int((spikes != 0).sum())
    assert found.sites["1.input"].levels == 1


def test_products_of_two_spike_trains() -> None:
    """One head, T = 2, three tokens of width 4; counts from the definition, not from shapes."""
    generator = torch.Generator().manual_seed(2)
    q, k, v = ((torch.rand(2, 1, 3, 4, generator=generator) < 0.4).float() for _ in range(3))
    found = account(Attention(q, k, v), [torch.zeros(1)], 2, neurons=["q", "k", "v"])
    scores, context = found.spikes.operations["product"], found.spikes.operations["product_2"]
    assert scores.kind == context.kind == "matmul"
    assert scores.macs == context.macs == 3 * 3 * 4
    of_q, of_k = 3 * int(q.sum()), 3 * int(k.sum())  # each is read by three tokens
    assert (scores.sops, scores.early_sops) == (of_q + of_k, of_k)
    weights = q @ k.mT
    of_weights, of_v = 4 * int((weights != 0).sum()), 3 * int(v.sum())
    assert (context.sops, context.early_sops) == (of_weights + of_v, of_v)
    both, one = found.energy.total, found.one_operand.total
    assert both.sops - one.sops == of_k + of_v
    assert set(found.spikes.sites) == {"q", "k", "v"}


def test_products_by_every_name_and_with_broadcasting() -> None:
    spikes = (torch.rand(2, 4, 3, 5, generator=torch.Generator().manual_seed(3)) < 0.5).float()
    keys = (torch.rand(2, 1, 5, 6, generator=torch.Generator().manual_seed(4)) < 0.5).float()

    def account_of(multiply: Any) -> Any:
        class Product(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return multiply(spikes, keys)

        return account(Product(), [torch.zeros(1)], 2).spikes.operations["product"]

    broadcast = account_of(torch.matmul)
    assert broadcast.sops == int(spikes.sum()) * 6 + int(keys.sum()) * 4 * 3
    assert broadcast.macs == 4 * 3 * 5 * 6
    flat, flat_keys = spikes[:, 0], keys[:, 0]
    one_head = account_of(lambda a, b: flat @ flat_keys)
    for multiply in (torch.bmm, lambda a, b: torch.baddbmm(torch.ones(6), a, b)):
        assert account_of(lambda a, b, multiply=multiply: multiply(flat, flat_keys)) == one_head
    for multiply in (
        lambda a, b: a @ b,
        lambda a, b: torch.einsum("tbij, tcjk -> tbik", [a, b]),
        lambda a, b: torch.einsum("tbij, tcjk -> tbik", a, b),
        lambda a, b: torch.einsum("...ij,...jk->...ik", a, b),
    ):
        assert account_of(multiply) == broadcast


def test_a_functional_layer_with_a_weight_of_its_own() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 5))

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, self.weight) + x @ self.weight.T

    spikes = torch.eye(5)[None].repeat(2, 1, 1)
    operations = account(Functional(), [spikes], 2).spikes.operations
    assert {name: count.sops for name, count in operations.items()} == {
        "linear_1": 2 * 5 * 3,
        "linear_2": 2 * 5 * 3,
    }
    assert {count.kind for count in operations.values()} == {"linear"}


def test_one_tensor_that_three_layers_read_is_one_site() -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.q(x) + self.k(x) + self.v(x)

    spikes = torch.tensor([[[1.0, 0, 0, 1]], [[0.0, 0, 1, 0]]])
    found = account(Three(), [spikes], 2).spikes
    assert [*found.sites] == ["q.input"]
    assert found.spikes == 3
    assert [count.sops for count in found.operations.values()] == [12, 12, 12]


@pytest.mark.parametrize("n", range(32))
def test_digits_are_the_fewest_powers_of_two_that_make_a_number(n: int) -> None:
    powers = [sign * 2**i for i in range(6) for sign in (1, -1)]
    reached, fewest = {0}, 0
    while n not in reached:
        reached, fewest = {a + b for a in reached for b in powers}, fewest + 1
    assert digits_of(torch.tensor([n, -n], dtype=torch.int8)).tolist() == [fewest, fewest]


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0.0, 0.0], [0, 0]),
        ([0.3, -0.3, 0.0], [1, -1, 0]),
        ([0.2, -0.3, 0.0], [2, -3, 0]),
        ([0.1, 0.7, 3.1], [1, 7, 31]),
        ([0.1, 3.2], None),  # 32 times the step
        ([0.1234, 0.7319, 0.5], None),
        ([i / 255 for i in range(256)], None),  # pixels
    ],
)
def test_what_spikes_are(values: list[float], levels: list[int] | None) -> None:
    found = levels_of(torch.tensor(values))
    assert (None if found is None else found.tolist()) == levels

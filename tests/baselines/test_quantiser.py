"""The quantiser on numbers worked out by hand, and beside the neurons whose part it takes."""

from __future__ import annotations

import pytest
import torch

from las.baselines import METHODS
from las.baselines.neurons import IntegrateAndFire
from las.baselines.quantiser import Quantiser, quantise, quantisers
from las.baselines.thresholds import levels_and_parts

# lambda = 2 and L = 4: a step is 1/2, and floor(2 |x| + 1/2) is 1, 0, 2, 3, and beyond 4: 4.
X = [-0.3, 0.2, 0.9, 1.6, 2.5, -3.0]
Y = [-0.5, 0.0, 1.0, 1.5, 2.0, -2.0]
BY_X = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
# (y - x) / lambda inside, sign(x) beyond
BY_LIMIT = [-0.1, -0.1, 0.05, -0.05, 1.0, -1.0]


def test_forward_and_straight_through_gradients_by_hand():
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    limit = torch.full((6,), 2.0, dtype=torch.float64, requires_grad=True)
    y = quantise(x, limit, 4)
    y.sum().backward()
    assert y.tolist() == pytest.approx(Y)
    assert x.grad.tolist() == pytest.approx(BY_X)
    assert limit.grad.tolist() == pytest.approx(BY_LIMIT)


def test_the_limit_is_trained_as_its_logarithm():
    layer = Quantiser(torch.tensor([2.0]), 4)
    (y,) = layer.hook(layer, (torch.tensor([X]),))
    y.sum().backward()
    assert y.flatten().tolist() == pytest.approx(Y)
    assert layer.log_limit.grad.item() == pytest.approx(2 * sum(BY_LIMIT))
    assert layer.limit.item() == pytest.approx(2)


def test_it_is_what_a_pair_of_neurons_makes_of_a_constant_input():
    torch.manual_seed(0)
    x, threshold, steps = torch.randn(1000, dtype=torch.float64), 0.7, 8
    neuron, pair = IntegrateAndFire(), torch.stack([x, -x]) / threshold
    state, emitted = neuron.begin(pair), torch.zeros_like(pair)
    for t in range(1, steps + 1):
        fired, state = neuron.step(pair, state, t)
        emitted += fired
    mean = threshold * (emitted[0] - emitted[1]) / steps
    limit = torch.tensor([threshold], dtype=torch.float64)
    assert torch.allclose(mean, quantise(x, limit, steps), atol=1e-12)


@pytest.mark.parametrize(("name", "limit"), [("qcfs", 3), ("fas", 3), ("spikezip-tf", 3 * 32)])
def test_limits_are_what_neurons_give_at_most(name, limit):
    """On the mean over T a threshold, and on the sum as many as there are time steps."""
    (one,) = quantisers({"a": torch.tensor([3.0])}, *levels_and_parts(METHODS[name])).values()
    assert one.levels == METHODS[name].time_steps
    assert one.limit.item() == pytest.approx(limit)

"""Functions without a module: a layer's outputs know which neurons they drive."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import las
from las.components.activation import SpikingActivation, SpikingReLU
from las.components.linear import spiking_linear
from las.components.potential import Potential, SpikingLinearInto


@pytest.fixture
def layer(spiking) -> SpikingLinearInto:
    torch.manual_seed(0)
    linear = spiking_linear(nn.Linear(12, 20))
    return spiking(SpikingLinearInto(linear, SpikingActivation("tanh")))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


ASKING: list[Callable[[Tensor], Tensor]] = [
    torch.tanh,
    Tensor.tanh,
    lambda y: 30 * torch.tanh(y / 30),
    lambda y: torch.tanh(y * 0.5),
]


@pytest.mark.parametrize("function", ASKING)
def test_neurons_answer_for_their_function(layer, x, assert_one_truth, function) -> None:
    y = assert_one_truth(layer, lambda: function(layer(x)))
    with las.count_spikes(layer) as tally:
        function(layer(x))
    assert tally.sites["top.activation.site"].activations == y.numel()
    assert type(y) is Tensor
    assert torch.allclose(y, function(F.linear(x, layer.weight, layer.bias)), atol=2e-3)


def test_another_function_is_not_theirs(layer, x) -> None:
    """It stays PyTorch's, for the audit to find."""
    with las.count_spikes(layer) as tally:
        y = torch.sigmoid(layer(x))
    assert "top.activation.site" not in tally.sites
    assert type(y) is Tensor


def test_the_tanh_approximation_is_another_function_than_gelu(spiking, x) -> None:
    layer = spiking(SpikingLinearInto(spiking_linear(nn.Linear(12, 20)), SpikingActivation("gelu")))
    with las.count_spikes(layer) as tally:
        F.gelu(layer(x), approximate="tanh")
        assert "top.activation.site" not in tally.sites
        F.gelu(layer(x))
    assert tally.sites["top.activation.site"].kind == "hg:gelu"


def test_relu_is_exact(spiking, x) -> None:
    layer = spiking(SpikingLinearInto(spiking_linear(nn.Linear(12, 20)), SpikingReLU()))
    y = layer(x)
    assert type(y) is Potential
    assert torch.equal(nn.ReLU()(y), y.as_subclass(Tensor).clamp_min(0))


def test_the_layer_keeps_parameters_and_names(layer) -> None:
    assert set(layer.state_dict()) == {"weight", "bias"}

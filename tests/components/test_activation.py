from __future__ import annotations

import pytest
import torch
from torch import nn

import las
from las.components.activation import SpikingActivation, SpikingReLU
from las.errors import CalibrationError


@pytest.mark.parametrize(("function", "module"), [("gelu", nn.GELU()), ("silu", nn.SiLU())])
def test_both_paths_agree(spiking, assert_one_truth, function: str, module: nn.Module) -> None:
    torch.manual_seed(0)
    activation = spiking(SpikingActivation(function))
    x = torch.randn(4, 3, 50, dtype=torch.float64) * 6
    x[0, 0, :3] = torch.tensor([0.0, 500.0, -500.0])
    y = assert_one_truth(activation, lambda: activation(x))
    assert torch.allclose(y, module(x), atol=1e-3)


def test_it_is_counted_as_one_evaluation_for_each_element(spiking) -> None:
    activation = spiking(SpikingActivation("gelu"))
    with las.count_spikes(activation) as tally:
        activation(torch.randn(4, 7))
    assert tally.sites["top.site"].kind == "hg:gelu"
    assert tally.operations["top"].nonlinear == {"gelu": 28}
    assert tally.operations["top"].sops == tally.sites["top.site"].spikes


def test_inputs_beyond_the_calibrated_range_are_counted(spiking) -> None:
    activation = spiking(SpikingActivation("silu"))
    with las.count_spikes(activation) as tally:
        activation(torch.tensor([0.0, 199.0, 201.0, -31.0]))
    assert tally.out_of_range == 2


def test_neurons_without_parameters_are_a_clear_error() -> None:
    activation = SpikingActivation("gelu")
    activation.site.name = "layers.0.act.site"
    with pytest.raises(CalibrationError, match=r"layers\.0\.act\.site.*calibrate"):
        activation(torch.randn(2))
    with (
        las.simulate(activation),
        pytest.raises(CalibrationError, match=r"layers\.0\.act\.site.*calibrate"),
    ):
        activation(torch.randn(2))


def test_relu_is_exact() -> None:
    x, relu = torch.randn(100), SpikingReLU()
    assert torch.equal(relu(x), torch.relu(x))
    with las.simulate(relu):
        assert torch.equal(relu(x), torch.relu(x))

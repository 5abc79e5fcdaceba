from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

import las
from las.components.linear import SpikingLinear, spiking_linear
from las.errors import CalibrationError
from las.neurons import OAT


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 24), (2, 5, 24), (24,), (0, 24)])
def test_both_paths_agree(spiking, assert_one_truth, both_paths, bias: bool, shape) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(24, 9, bias=bias).double()
    spike_linear = spiking(spiking_linear(linear))
    x = torch.randn(shape, dtype=torch.float64) * 20
    if not x.numel():
        fused, simulated, _, _ = both_paths(spike_linear, lambda: spike_linear(x))
        assert fused.shape == simulated.shape == (0, 9)
        return
    y = assert_one_truth(spike_linear, lambda: spike_linear(x))
    assert torch.allclose(y, linear(x), atol=1e-1)


@pytest.mark.parametrize("rounding", ["nearest", "half_step", "floor", "signed"])
@pytest.mark.parametrize(("steps", "levels"), [(1, 1), (8, 3), (16, 5), (32, 16)])
def test_both_paths_agree_for_any_neuron(
    spiking, assert_one_truth, rounding: str, steps: int, levels: int
) -> None:
    torch.manual_seed(1)
    neuron = OAT((1.0 * levels, 16.0 * levels), (2.0,), steps, levels, rounding)
    spike_linear = spiking(spiking_linear(nn.Linear(40, 11)), neuron)
    x = torch.randn(6, 40, dtype=torch.float64) * 10
    assert_one_truth(spike_linear, lambda: spike_linear(x))


def test_conv1d_of_gpt2_is_a_linear_layer_with_its_weight_transposed(
    spiking, assert_one_truth
) -> None:
    torch.manual_seed(2)
    conv = Conv1D(7, 12).double()
    nn.init.normal_(conv.bias)
    spike_linear = spiking(spiking_linear(conv))
    x = torch.randn(4, 12, dtype=torch.float64)
    assert spike_linear.matrix.shape == (7, 12)
    assert torch.allclose(
        assert_one_truth(spike_linear, lambda: spike_linear(x)), conv(x), atol=1e-3
    )


def test_weight_and_bias_stay_the_very_parameters_of_the_layer() -> None:
    linear = nn.Linear(4, 3)
    spike_linear = spiking_linear(linear)
    assert spike_linear.weight is linear.weight
    assert spike_linear.bias is linear.bias
    assert set(spike_linear.state_dict()) == {"weight", "bias"}


def test_what_comes_out_is_the_layer_applied_to_the_coded_input(spiking) -> None:
    spike_linear = spiking(spiking_linear(nn.Linear(6, 6)))
    x = torch.randn(5, 6, dtype=torch.float64)
    coded = spike_linear.site(x).value
    expected = coded @ spike_linear.weight.T + spike_linear.bias
    assert torch.allclose(spike_linear(x), expected, rtol=1e-14)


def test_each_spike_costs_one_accumulation_for_each_output(spiking) -> None:
    spike_linear = spiking(spiking_linear(nn.Linear(6, 10)))
    with las.count_spikes(spike_linear) as tally:
        spike_linear(torch.randn(3, 6, dtype=torch.float64))
    operation = tally.operations["top"]
    assert operation.sops == 10 * tally.sites["top.site"].spikes > 0
    assert operation.macs == 3 * 6 * 10


def test_neurons_without_thresholds_are_a_clear_error() -> None:
    spike_linear = spiking_linear(nn.Linear(4, 4))
    spike_linear.site.name = "layers.3.q_proj.site"
    with pytest.raises(CalibrationError, match=r"layers\.3\.q_proj\.site.*calibrate"):
        spike_linear(torch.randn(2, 4))
    with (
        las.simulate(spike_linear),
        pytest.raises(CalibrationError, match=r"layers\.3\.q_proj\.site.*calibrate"),
    ):
        spike_linear(torch.randn(2, 4))


class TestThreeReadersOfOneTensor:
    @pytest.fixture
    def readers(self, spiking) -> nn.ModuleList:
        module = spiking(nn.ModuleList(spiking_linear(nn.Linear(8, 5)) for _ in range(3)))
        site = module[0].site
        for reader in module[1:]:
            reader.site = site
            site.fan_out += 1
        return module

    def test_it_is_coded_once_on_both_paths(self, readers, both_paths) -> None:
        x = torch.randn(4, 8, dtype=torch.float64)
        fused, simulated, fused_tally, simulated_tally = both_paths(
            readers, lambda: torch.stack([reader(x) for reader in readers])
        )
        assert torch.allclose(fused, simulated, rtol=1e-12, atol=1e-13)
        for tally in (fused_tally, simulated_tally):
            assert list(tally.sites) == ["top.0.site"]
            assert tally.sites["top.0.site"].activations == x.numel()
        assert fused_tally.spikes == simulated_tally.spikes
        assert len(fused_tally.operations) == 3

    def test_each_reader_gets_what_it_would_get_alone(self, readers, spiking) -> None:
        x = torch.randn(4, 8, dtype=torch.float64)
        together = [reader(x) for reader in readers]
        for reader, y in zip(readers, together, strict=True):
            alone = spiking(SpikingLinear(reader.weight, reader.bias))
            assert torch.equal(alone(x), y)

    def test_another_tensor_or_a_change_in_place_is_coded_anew(self, readers) -> None:
        x = torch.randn(4, 8, dtype=torch.float64)
        readers[0](x)
        other = x * 2
        expected = nn.functional.linear(
            readers[1].site(other).value, readers[1].weight, readers[1].bias
        )
        readers[0](x)
        assert torch.equal(readers[1](other), expected)
        readers[0](x)
        x.mul_(2)
        assert torch.equal(readers[1](x), expected)

    def test_the_next_forward_pass_is_coded_anew(self, readers) -> None:
        x = torch.randn(4, 8, dtype=torch.float64)
        with las.count_spikes(readers) as tally:
            for _ in range(2):
                for reader in readers:
                    reader(x)
        assert tally.sites["top.0.site"].activations == 2 * x.numel()

    def test_a_pass_without_counting_does_not_leak_into_one_with(self, readers) -> None:
        x = torch.randn(4, 8, dtype=torch.float64)
        readers[0](x)  # an interrupted pass: the two others never read
        with las.count_spikes(readers) as tally:
            for reader in readers:
                reader(x)
        assert tally.sites["top.0.site"].activations == x.numel()
        assert all(operation.sops > 0 for operation in tally.operations.values())

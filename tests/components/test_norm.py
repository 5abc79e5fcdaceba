from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import las
from las.components.norm import SpikingNorm
from las.errors import CalibrationError
from las.neurons import OAT

WIDTH = 48
FINE = OAT((1.25, 20.0, 320.0, 2.0**16 * 5), (2.0, 32.0, 512.0), 16, 5)


def layer_norm() -> tuple[nn.Module, SpikingNorm]:
    torch.manual_seed(0)
    norm = nn.LayerNorm(WIDTH, eps=1e-5).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm, SpikingNorm(norm.weight, norm.bias, norm.eps, centred=True)


def rms_norm() -> tuple[nn.Module, SpikingNorm]:
    torch.manual_seed(0)
    norm = LlamaRMSNorm(WIDTH, eps=1e-6).double()
    nn.init.normal_(norm.weight)
    return norm, SpikingNorm(norm.weight, None, norm.variance_epsilon, centred=False)


def gemma_norm() -> tuple[nn.Module, SpikingNorm]:
    torch.manual_seed(0)
    norm = Gemma2RMSNorm(WIDTH, eps=1e-6).double()
    nn.init.normal_(norm.weight)
    return norm, SpikingNorm(norm.weight, None, norm.eps, centred=False, offset=1.0)


def reference(norm: nn.Module, x: Tensor) -> Tensor:
    """In float64 throughout, which transformers' RMSNorm is not."""
    if isinstance(norm, nn.LayerNorm):
        return norm(x)
    if isinstance(norm, Gemma2RMSNorm):
        return (1 + norm.weight) * (x * (x.square().mean(-1, keepdim=True) + norm.eps).rsqrt())
    scale = (x.square().mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt()
    return norm.weight * (x * scale)


KINDS = pytest.mark.parametrize("make", [layer_norm, rms_norm, gemma_norm])


@KINDS
@pytest.mark.parametrize("shape", [(3, WIDTH), (2, 5, WIDTH), (WIDTH,)])
def test_both_paths_agree(spiking, assert_one_truth, make, shape) -> None:
    norm, spike_norm = make()
    spiking(spike_norm, FINE)
    x = torch.randn(shape, dtype=torch.float64) * 3
    y = assert_one_truth(spike_norm, lambda: spike_norm(x))
    assert torch.allclose(y, reference(norm, x), atol=2e-3)


@KINDS
@pytest.mark.parametrize("scale", [1e-1, 1.0, 1e1, 1e2, 1e3, 1e4])
def test_tokens_of_any_size_are_normalised(spiking, make, scale: float) -> None:
    norm, spike_norm = make()
    spiking(spike_norm, FINE)
    x = torch.randn(20, WIDTH, dtype=torch.float64) * scale
    y, expected = spike_norm(x), reference(norm, x)
    assert (y - expected).norm() / expected.norm() < 2e-3


@KINDS
def test_a_massive_channel_does_not_drown_its_neighbours(spiking, assert_one_truth, make) -> None:
    norm, spike_norm = make()
    spiking(spike_norm, FINE)
    x = torch.randn(4, WIDTH, dtype=torch.float64)
    x[:, 7] = 2e4
    y, expected = assert_one_truth(spike_norm, lambda: spike_norm(x)), reference(norm, x)
    assert (y - expected).norm() / expected.norm() < 2e-3


@KINDS
def test_weight_and_bias_stay_the_very_parameters_of_the_layer(make) -> None:
    norm, spike_norm = make()
    assert spike_norm.weight is norm.weight
    assert spike_norm.bias is getattr(norm, "bias", None)


def test_a_norm_without_weight_and_bias(spiking, assert_one_truth) -> None:
    spike_norm = spiking(SpikingNorm(None, None, 1e-5, centred=True), FINE)
    x = torch.randn(5, WIDTH, dtype=torch.float64)
    y = assert_one_truth(spike_norm, lambda: spike_norm(x))
    assert torch.allclose(y, nn.functional.layer_norm(x, (WIDTH,)), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_normalised_in_float32(spiking, dtype: torch.dtype) -> None:
    """As LlamaRMSNorm does: the square of 300 is beyond float16."""
    _, spike_norm = rms_norm()
    spiking(spike_norm, FINE).to(dtype)
    x = (torch.randn(6, WIDTH) * 300).to(dtype)
    y = spike_norm(x)
    assert y.dtype == dtype
    expected = nn.functional.rms_norm(x.float(), (WIDTH,)) * spike_norm.weight.float()
    assert torch.allclose(y.float(), expected, rtol=2e-2, atol=2e-2)


def test_every_part_is_counted(spiking) -> None:
    _, spike_norm = rms_norm()
    spiking(spike_norm, FINE)
    with las.count_spikes(spike_norm) as tally:
        spike_norm(torch.randn(3, WIDTH, dtype=torch.float64))
    assert {name: site.activations for name, site in tally.sites.items()} == {
        "top.input": 3 * WIDTH,
        "top.square": 3 * WIDTH,
        "top.inverse_sqrt": 3,
        "top.output": 3 * WIDTH,
    }
    assert tally.operations["top"].nonlinear == {"sqrt": 3}


def test_neurons_without_parameters_are_a_clear_error() -> None:
    _, spike_norm = layer_norm()
    with pytest.raises(CalibrationError, match="calibrate"):
        spike_norm(torch.randn(2, WIDTH))
    with las.simulate(spike_norm), pytest.raises(CalibrationError, match="calibrate"):
        spike_norm(torch.randn(2, WIDTH))

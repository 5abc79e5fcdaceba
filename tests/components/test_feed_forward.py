from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

import las
from las.components.activation import SpikingActivation
from las.components.feed_forward import SpikingGatedFeedForward, SpikingJointFeedForward
from las.components.linear import spiking_linear


def gated() -> SpikingGatedFeedForward:
    torch.manual_seed(0)
    sizes = {"gate_proj": (12, 20), "up_proj": (12, 20), "down_proj": (20, 12)}
    layers = {name: spiking_linear(nn.Linear(*size, bias=False)) for name, size in sizes.items()}
    return SpikingGatedFeedForward(layers, SpikingActivation("silu"))


def test_both_paths_agree(spiking, assert_one_truth) -> None:
    network = spiking(gated())
    x = torch.randn(2, 5, 12, dtype=torch.float64) * 4
    y = assert_one_truth(network, lambda: network(x))
    hidden = F.silu(x @ network.gate_proj.weight.T) * (x @ network.up_proj.weight.T)
    assert torch.allclose(y, hidden @ network.down_proj.weight.T, atol=2e-2)


def test_projections_in_one_layer_are_the_same_network(spiking, assert_one_truth) -> None:
    two = spiking(gated())
    joint = nn.Linear(12, 40, bias=False)
    joint.weight = nn.Parameter(torch.cat([two.gate_proj.weight, two.up_proj.weight]))
    layers = {"gate_up_proj": spiking_linear(joint), "down_proj": two.down_proj}
    one = spiking(SpikingJointFeedForward(layers, two.act_fn))
    x = torch.randn(2, 5, 12, dtype=torch.float64) * 4
    assert torch.allclose(assert_one_truth(one, lambda: one(x)), two(x), atol=1e-12)
    assert set(one.state_dict()) == {"gate_up_proj.weight", "down_proj.weight"}


def test_it_keeps_the_names_of_the_checkpoint() -> None:
    assert set(gated().state_dict()) == {
        "gate_proj.weight",
        "up_proj.weight",
        "down_proj.weight",
    }


def test_the_hadamard_product_costs_the_spikes_of_both_factors(spiking) -> None:
    network = spiking(gated())
    with las.count_spikes(network) as tally:
        network(torch.randn(3, 12, dtype=torch.float64))
    operation = tally.operations["top"]
    spikes = tally.sites["top.act_fn.site"].spikes + tally.sites["top.up_site"].spikes
    assert (operation.kind, operation.sops, operation.macs) == ("hadamard", spikes, 3 * 20)
    assert operation.nonlinear == {"silu": 3 * 20}

"""NeuroBench's metrics, worked out by hand and by PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from las.components.linear import spiking_linear
from las.energy.neurobench import neurobench
from las.neurons.tally import OperationCount, SiteCount, SpikeTally


@pytest.fixture
def tally() -> SpikeTally:
    """Two tokens, T = 4: 16 inputs with 20 spikes, 8 queries with 9, 8 keys with 11."""
    return SpikeTally(
        sites={
            "fc.site": SiteCount("oat", 4, 16, 20, digits=34, active=12, levels=5),
            "attn.query": SiteCount("oat", 4, 8, 9, digits=9, active=7, levels=1),
            "attn.key": SiteCount("oat", 4, 8, 11, digits=11, active=8, levels=1),
        },
        operations={
            "fc": OperationCount("fc", "linear", 80, 64, additions=136, fetches=48),
            "attn.scores": OperationCount("attn", "matmul", 40, 16, additions=40, fetches=30),
        },
        tokens=2,
    )


def test_the_layers_that_the_package_sees(tally: SpikeTally) -> None:
    found = neurobench(tally)
    assert found.activation_sparsity == 1 - 40 / (32 * 4)
    assert found.dense == 4 * 64 / 2
    assert (found.effective_macs, found.effective_acs) == (80 / 2, 0.0)
    assert found.membrane_updates == (32 + 40) / 2
    assert found.footprint is None and found.connection_sparsity is None


def test_products_of_two_spike_trains(tally: SpikeTally) -> None:
    """H = 1 at queries and keys: their spikes accumulate. H = 5 at the layer: they multiply."""
    found = neurobench(tally, ("linear", "matmul"))
    assert found.dense == 4 * (64 + 2 * 16) / 2
    assert (found.effective_macs, found.effective_acs) == (80 / 2, 40 / 2)


def test_of_the_levels_of_a_neuron_one_has_one_digit() -> None:
    """So that as many digits as spikes mean spikes of one size: what the metric relies on."""

    def digits(number: int) -> int:
        found = 0
        while number:
            if number % 2:
                number -= 2 - number % 4
                found += 1
            number //= 2
        return found

    for levels in range(1, 65):
        assert sum(digits(levels + k) == 1 for k in range(levels)) == 1


def test_older_counts_tell_no_accumulations(tally: SpikeTally) -> None:
    for operation in tally.operations.values():
        operation.additions = 0
    found = neurobench(tally)
    assert found.effective_macs is None and found.effective_acs is None
    assert found.dense == 4 * 64 / 2


def test_sizes_of_a_model(tally: SpikeTally) -> None:
    """4 x 8 weights, of which 8 are 0, and 4 biases, in float32; an embedding is no connection."""
    layer = nn.Linear(8, 4)
    with torch.no_grad():
        layer.weight[1] = 0
    model = nn.Sequential(nn.Embedding(3, 8), spiking_linear(layer))
    found = neurobench(tally, model=model)
    assert found.footprint == (3 * 8 + 4 * 8 + 4) * 4
    assert found.connection_sparsity == 8 / 32


def test_every_layer_counts_with_the_time_steps_of_what_it_reads(tally: SpikeTally) -> None:
    """T of 4, but 6 for queries and 3 for keys; a second layer shares the first one's neurons."""
    tally.sites["attn.query"].time_steps, tally.sites["attn.key"].time_steps = 6, 3
    tally.operations["beside"] = OperationCount(  # 2 outputs where fc has 4
        "beside", "linear", 40, 32, additions=68, fetches=24, inputs=16
    )
    assert neurobench(tally).dense == 4 * (64 + 32) / 2
    assert neurobench(tally, ["matmul"]).dense == (6 + 3) * 16 / 2


def test_a_layer_of_unknown_neurons_counts_with_the_longest_time(tally: SpikeTally) -> None:
    tally.sites["attn.query"].time_steps = 6
    tally.operations["strange"] = OperationCount("strange", "linear", 41, 32, inputs=16)
    assert neurobench(tally).dense == (4 * 64 + 6 * 32) / 2


def test_what_multiplies_in_every_time_step_is_counted_so(tally: SpikeTally) -> None:
    tally.operations["fc"] = OperationCount("fc", "linear", 0, 64, dense_macs=4 * 64)
    assert neurobench(tally).dense == 4 * 64 / 2


def test_two_matrices_of_experts_read_one_population_and_the_third_another() -> None:
    sites = {"e.input_site": SiteCount("oat", 4, 8), "e.down_site": SiteCount("oat", 7, 8)}
    tally = SpikeTally(sites, {"e": OperationCount("e", "linear", 10, 96)}, tokens=1)
    assert neurobench(tally).dense == 4 * 64 + 7 * 32

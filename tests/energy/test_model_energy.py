"""Accounts of a real model, which are those of what was counted while it ran."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

import las
from las.components.linear import SpikingLinear
from las.components.site import OATSite
from las.energy import HARDWARE, accounts
from las.errors import LasError
from tests.conversion.converted import converted
from tests.tiny_models import plain


@pytest.mark.parametrize(
    ("name", "stages"), [("llama", 2 * 15 + 3 + 1), ("bert-classification", 3 + 2 * 15 + 3)]
)
def test_accounts_of_a_model(name: str, stages: int) -> None:
    """Two blocks of 15 stages each.

    After them Llama has a norm and a head, BERT a pooler, its function and a head; it has a norm
    before them.
    """
    pair = converted(name)
    with las.count_spikes(pair.spiking) as spikes, torch.no_grad():
        pair.spiking(**pair.batch())
    found = las.energy_accounts(pair.spiking, spikes)
    assert found["paper"].ratio == las.energy(pair.spiking, spikes).total.ratio
    assert found.accounts == accounts(spikes).accounts
    for one in found.accounts:
        assert one.ratio is not None and one.last_ratio is not None, one.missing
        assert one.last_ratio < one.ratio  # keys and values fire in both models
    assert found.latency.stages == stages
    assert found.latency.steps == found.latency.stages * found.latency.interval
    stored = [*pair.spiking.parameters(), *pair.spiking.buffers()]
    assert found.layers.footprint == sum(each.numel() * each.element_size() for each in stored)
    assert found.layers.connection_sparsity == 0.0
    weights = sum(operation.weights for operation in spikes.operations.values())
    layers = [layer for layer in pair.spiking.modules() if isinstance(layer, SpikingLinear)]
    assert weights >= sum(layer.weight.numel() for layer in layers)


@pytest.mark.parametrize("simulated", [False, True])
def test_it_is_counted_how_many_bands_an_input_has_to_choose_from(simulated: bool) -> None:
    batches = plain.batches(8)
    model = las.convert(plain.llama(), batches, las.SpikeConfig(time_steps=8, bands=3))
    simulation = las.simulate(model) if simulated else nullcontext()
    with las.count_spikes(model) as spikes, simulation, torch.no_grad():
        model(**batches[0])
    bands = {
        site.name: len(site.calibrated().taus)
        for site in model.modules()
        if isinstance(site, OATSite)
    }
    counted = {name: site.bands for name, site in spikes.sites.items() if site.kind == "oat"}
    assert counted == {name: bands[name] for name in counted}
    assert 3 in counted.values()
    assert {site.bands for site in spikes.sites.values() if site.kind != "oat"} == {1}


def test_arguments_of_another_kind_are_refused() -> None:
    spiking = converted("llama").spiking
    with las.count_spikes(spiking) as spikes, torch.no_grad():
        spiking(**converted("llama").batch())
    with pytest.raises(ValueError, match="spikes must be a SpikeTally"):
        las.energy_accounts(spiking, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hardware must be a Hardware"):
        las.energy_accounts(spiking, spikes, "loihi")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="counted in another model"):
        las.energy_accounts(converted("bert-classification").spiking, spikes, HARDWARE["loihi"])
    with pytest.raises(LasError):
        las.energy_accounts(torch.nn.Linear(1, 1), spikes)

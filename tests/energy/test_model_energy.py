"""Accounts of a real model, which are those of what was counted while it ran."""

from __future__ import annotations

import pytest
import torch

import las
from las.components.linear import SpikingLinear
from las.energy import HARDWARE, accounts
from las.errors import LasError
from tests.conversion.converted import converted


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

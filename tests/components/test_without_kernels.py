"""Where no compiled kernel runs, e.g. on a GPU, components compute site by site: the same thing."""

from __future__ import annotations

import pytest
import torch

import las
from las.components import attention, feed_forward, norm
from las.neurons import fused


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_both_ways_give_the_same_outputs_and_counts(family, request, make_batches, monkeypatch):
    batches = make_batches(padding=3)
    model = las.convert(request.getfixturevalue(family), batches).double()
    outputs, tallies = [], []
    for kernels in (True, False):
        if not kernels:
            for module in (attention, feed_forward, norm, fused):
                monkeypatch.setattr(module, "has_kernels", lambda x: False)
        with torch.no_grad(), las.count_spikes(model) as tally:
            outputs.append(model(**batches[0])[0])
        tallies.append(tally)
    largest = outputs[0].abs().max().item()
    assert torch.allclose(*outputs, rtol=0, atol=1e-11 * largest)
    assert tallies[0] == tallies[1]
    assert tallies[0].spikes > 0

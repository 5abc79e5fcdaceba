"""Where no compiled kernel runs, e.g. on a GPU, components compute site by site: the same thing."""

from __future__ import annotations

import json

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import las
from las.components import attention, feed_forward, norm
from las.neurons import encoding, fused


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


class Waits(TorchDispatchMode):
    """Counts how often a pass waits for a number, as each time holds a GPU up."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("family", ["llama", "bert"])
def test_counting_waits_for_no_number(family, padding, request, make_batches, monkeypatch):
    """What is counted is read at the end of the block; masks are looked at as a pass begins."""
    (batch,) = make_batches(count=1, padding=padding)
    model = las.convert(request.getfixturevalue(family), make_batches(padding=3))
    for module in (attention, feed_forward, norm, fused):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)
    with torch.no_grad(), las.count_spikes(model) as expected:
        model(**batch)
    with torch.no_grad(), Waits() as silent:
        model(**batch)
    monkeypatch.setattr(encoding, "_READ_AT_ONCE", ())
    with torch.no_grad(), las.count_spikes(model) as tally, Waits() as waits:
        model(**batch)
    begins = 3  # of the model, of it without its head, of its stack of layers
    assert waits.count <= silent.count + begins
    assert tally == expected
    assert json.loads(json.dumps(tally.to_dict())) == expected.to_dict()

"""How many numbers each operation reads, makes and multiplies with, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import las
from las.components.activation import SpikingActivation
from las.components.attention import SpikingAttention
from las.components.convolution import spiking_convolution
from las.components.feed_forward import SpikingGatedFeedForward
from las.components.linear import spiking_linear
from las.components.norm import SpikingNorm
from las.neurons.tally import OperationCount, SpikeTally

Spiking = Callable[..., Any]


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def traffic(operation: OperationCount) -> tuple[int, int, int]:
    return operation.inputs, operation.outputs, operation.weights


def test_a_linear_layer(spiking: Spiking) -> None:
    """Two sequences of three tokens, 8 numbers each, to 4."""
    layer = spiking(spiking_linear(nn.Linear(8, 4)))
    with las.count_spikes(layer) as tally:
        layer(random(2, 3, 8))
    assert traffic(tally.operations["top"]) == (6 * 8, 6 * 4, 8 * 4)


def test_weights_are_there_once_however_often_they_are_used(spiking: Spiking) -> None:
    layer = spiking(spiking_linear(nn.Linear(8, 4)))
    with las.count_spikes(layer) as tally:
        layer(random(3, 8))
        layer(random(5, 8))
    assert traffic(tally.operations["top"]) == (8 * 8, 8 * 4, 8 * 4)
    merged = SpikeTally()
    merged.merge(tally)
    merged.merge(tally)
    assert traffic(merged.operations["top"]) == (2 * 8 * 8, 2 * 8 * 4, 8 * 4)


def test_a_convolution(spiking: Spiking) -> None:
    """Two pictures of 3 x 12 x 8, patches of 4 x 4, to 8 channels: 3 x 2 patches each."""
    layer = spiking(spiking_convolution(nn.Conv2d(3, 8, 4, 4)))
    with las.count_spikes(layer) as tally:
        layer(random(2, 3, 12, 8))
    assert traffic(tally.operations["top"]) == (2 * 3 * 12 * 8, 2 * 8 * 3 * 2, 8 * 3 * 4 * 4)


def test_a_norm(spiking: Spiking) -> None:
    norm = spiking(SpikingNorm(nn.Parameter(torch.ones(16)), None, eps=1e-5, centred=False))
    with las.count_spikes(norm) as tally:
        norm(random(2, 3, 16))
    assert traffic(tally.operations["top"]) == (6 * 16, 6 * 16, 16)


def test_an_activation_has_no_weights(spiking: Spiking) -> None:
    activation = spiking(SpikingActivation("gelu"))
    with las.count_spikes(activation) as tally:
        activation(random(2, 7))
    assert traffic(tally.operations["top"]) == (14, 14, 0)


def test_a_gate_reads_two_numbers_for_each_that_it_makes(spiking: Spiking) -> None:
    layers = {
        "gate": spiking_linear(nn.Linear(4, 6, bias=False)),
        "up": spiking_linear(nn.Linear(4, 6, bias=False)),
        "down": spiking_linear(nn.Linear(6, 4, bias=False)),
    }
    gated = spiking(SpikingGatedFeedForward(layers, SpikingActivation("silu")))
    with las.count_spikes(gated) as tally:
        gated(random(3, 4))
    assert traffic(tally.operations["top"]) == (2 * 3 * 6, 3 * 6, 0)
    assert traffic(tally.operations["top.down"]) == (3 * 6, 3 * 4, 24)


@pytest.mark.parametrize("per_head", [False, True])
def test_attention_moves_what_its_mask_lets_it(spiking: Spiking, per_head: bool) -> None:
    """Four heads of queries share two of keys. Nobody sees the last key, the first query none.

    2 x 4 x (5 - 1) queries of width 3, 2 x 2 x (6 - 1) keys of width 3, their values of width 2,
    and 2 x 4 x 4 x 5 pairs.
    """
    attend = spiking(SpikingAttention())
    seen = torch.ones(2, 4 if per_head else 1, 5, 6, dtype=torch.bool)
    seen[:, :, 0] = False
    seen[..., 5] = False
    with las.count_spikes(attend) as tally:
        attend(random(2, 4, 5, 3), random(2, 2, 6, 3), random(2, 2, 6, 2), seen, 0.5)
    queries, keys, pairs = 2 * 4 * 4, 2 * 2 * 5, 2 * 4 * 4 * 5
    assert traffic(tally.operations["top.scores"]) == ((queries + keys) * 3, pairs, 0)
    assert traffic(tally.operations["top.context"]) == (pairs + keys * 2, queries * 2, 0)
    assert traffic(tally.operations["top.softmax"]) == (pairs, pairs, 0)

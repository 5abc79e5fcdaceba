"""No rows, no tokens, one token: a spiking model answers as its original does.

Most models of transformers raise where there is no row or no token. Some do not.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import las
from las.components import attention, feed_forward, norm
from las.neurons import fused
from tests.conversion.converted import Pair, converted

Counts = dict[str, tuple[int, int, int]]

ANSWERED = [
    ("falcon", (0, 12)),
    ("falcon", (2, 0)),
    ("gpt-neo", (0, 12)),
    ("gptj", (0, 12)),
    *((family, shape) for family in ("llama", "bert-mlm", "t5") for shape in ((2, 1), (1, 1))),
]
REFUSED = [(family, shape) for family in ("llama", "bert-mlm", "t5") for shape in ((0, 12), (2, 0))]


def inputs(pair: Pair, shape: tuple[int, int]) -> dict[str, Tensor]:
    ids = torch.full(shape, 5)
    names = pair.batch()
    return {name: torch.ones_like(ids) if "mask" in name else ids for name in names}


def run(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Any]:
    with torch.no_grad(), las.count_spikes(model) as spikes:
        output = model(**batch)[0]
    return output, spikes


def counts(tally: Any) -> Counts:
    found = {n: (s.activations, s.spikes, s.out_of_range) for n, s in tally.sites.items()}
    return {name: count for name, count in found.items() if any(count)}


@pytest.mark.parametrize(("family", "shape"), ANSWERED)
def test_it_answers_as_the_original(family: str, shape: tuple[int, int]) -> None:
    pair = converted(family)
    batch = inputs(pair, shape)
    with torch.no_grad():
        expected = pair.dense(**batch)[0]
    output, spikes = run(pair.spiking, batch)
    assert output.shape == expected.shape
    assert (output - expected).norm() <= 1e-2 * expected.norm()
    assert spikes.tokens == shape[0] * shape[1] * (2 if family == "t5" else 1)
    assert (spikes.spikes > 0) == (output.numel() > 0)


@pytest.mark.parametrize(("family", "shape"), ANSWERED)
def test_all_paths_are_one(
    family: str, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = converted(family)
    spiking, batch = pair.in_float64(), inputs(pair, shape)
    output, spikes = run(spiking, batch)
    with las.simulate(spiking):
        simulated, simulated_spikes = run(spiking, batch)
    for module in (attention, feed_forward, norm, fused):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)
    composed, composed_spikes = run(spiking, batch)
    for other, tally in ((simulated, simulated_spikes), (composed, composed_spikes)):
        assert (output - other).norm() <= 1e-9 * output.norm()
        assert counts(tally) == counts(spikes)


@pytest.mark.parametrize(("family", "shape"), REFUSED)
def test_what_the_original_refuses_is_refused_alike(family: str, shape: tuple[int, int]) -> None:
    pair = converted(family)
    for model in (pair.dense, pair.spiking):
        with torch.no_grad(), pytest.raises(RuntimeError, match="reshape tensor of 0 elements"):
            model(**inputs(pair, shape))

"""No rows, no tokens, one token: a spiking model answers as its original does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration

import las
from las.components import attention, feed_forward, norm
from las.neurons import fused
from tests.tiny_models import plain

SHAPES = [(0, 12), (2, 0), (2, 1), (1, 1)]


def t5() -> Any:
    return plain.make(T5ForConditionalGeneration, pad_token_id=0, decoder_start_token_id=0)


def inputs(family: str, shape: tuple[int, int]) -> dict[str, Tensor]:
    ids = torch.full(shape, 5)
    written = {"decoder_input_ids": ids} if family == "t5" else {}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **written}


@pytest.fixture(scope="module", params=["llama", "bert", "t5"])
def pair(request: pytest.FixtureRequest) -> tuple[str, Any, Any]:
    build = {"llama": plain.llama, "bert": plain.bert, "t5": t5}[request.param]
    labels = [{"labels": b["input_ids"]} if request.param == "t5" else {} for b in plain.batches()]
    batches = [b | more for b, more in zip(plain.batches(), labels, strict=True)]
    return request.param, build(), las.convert(build(), batches)


def run(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Any]:
    with torch.no_grad(), las.count_spikes(model) as spikes:
        output = model(**batch)[0]
    return output, spikes


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [True, False])
def test_it_answers_as_the_original(
    pair: tuple[str, Any, Any], shape: tuple[int, int], masked: bool
) -> None:
    family, dense, spiking = pair
    batch = inputs(family, shape)
    if not masked:
        del batch["attention_mask"]
    with torch.no_grad():
        try:
            expected = dense(**batch)[0]
        except Exception as error:
            pytest.skip(f"the original raises {error}")
    output, spikes = run(spiking, batch)
    assert output.shape == expected.shape
    assert (output - expected).norm() <= 1e-2 * expected.norm()
    assert spikes.tokens == shape[0] * shape[1] * (2 if family == "t5" else 1)
    assert (spikes.spikes == 0) == (output.numel() == 0)


@pytest.mark.parametrize("shape", SHAPES)
def test_all_paths_are_one(
    pair: tuple[str, Any, Any], shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    family, dense, spiking = pair
    batch = inputs(family, shape)
    try:
        with torch.no_grad():
            dense(**batch)
    except Exception as error:
        pytest.skip(f"the original raises {error}")
    spiking.double()
    try:
        output, spikes = run(spiking, batch)
        with las.simulate(spiking):
            simulated, simulated_spikes = run(spiking, batch)
        for module in (attention, feed_forward, norm, fused):
            monkeypatch.setattr(module, "has_kernels", lambda x: False)
        composed, composed_spikes = run(spiking, batch)
    finally:
        spiking.float()
    assert torch.allclose(output, simulated, rtol=0, atol=1e-9)
    assert torch.allclose(output, composed, rtol=0, atol=1e-9)
    counts = [
        {name: (site.activations, site.spikes, site.out_of_range) for name, site in t.sites.items()}
        for t in (spikes, simulated_spikes, composed_spikes)
    ]
    filled = [{k: v for k, v in count.items() if any(v)} for count in counts]
    assert filled[0] == filled[1] == filled[2]


def test_a_decoder_that_reads_an_empty_text() -> None:
    """Its queries see nothing, and get nothing."""
    ids = torch.full((2, 6), 5)
    batches = [{"input_ids": ids, "decoder_input_ids": b["input_ids"]} for b in plain.batches()]
    dense, spiking = t5(), las.convert(t5(), batches)
    batch = {"input_ids": ids[:, :0], "decoder_input_ids": ids}
    with torch.no_grad():
        expected = dense(**batch)[0]
        output = spiking(**batch)[0]
        with las.simulate(spiking):
            simulated = spiking(**batch)[0]
    assert (output - expected).norm() < 1e-2 * expected.norm()
    assert torch.allclose(output, simulated, atol=1e-4)

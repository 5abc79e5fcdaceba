"""`torch.inference_mode` around a conversion, a model and its passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import T5ForConditionalGeneration

import las
from las.components import attention, feed_forward, norm
from las.conversion.audit import audit
from las.neurons import fused, tensors
from tests.tiny_models import plain


def t5() -> Any:
    return plain.make(T5ForConditionalGeneration, pad_token_id=0, decoder_start_token_id=0)


BUILD: dict[str, Callable[[], Any]] = {"llama": plain.llama, "bert": plain.bert, "t5": t5}


def batches(family: str) -> list[Any]:
    written = [{"labels": b["input_ids"]} if family == "t5" else {} for b in plain.batches()]
    return [b | more for b, more in zip(plain.batches(), written, strict=True)]


def first(model: Any, batch: Any) -> torch.Tensor:
    return model(**batch)["logits" if "labels" in batch else 0]


@pytest.mark.parametrize("family", BUILD)
def test_a_conversion_under_it_is_the_same_conversion(family: str) -> None:
    batch = batches(family)[0]
    with torch.no_grad():
        expected = first(las.convert(BUILD[family](), batches(family)), batch)
    outside = BUILD[family]()
    with torch.inference_mode():
        las.convert(outside, batches(family))
        inside = las.convert(BUILD[family](), batches(family))
        assert torch.equal(first(inside, batch), expected)
        assert torch.equal(first(outside, batch), expected)
        assert inside.las_report == outside.las_report
    with torch.no_grad():
        assert torch.equal(first(inside, batch), expected)
    for parameter in outside.parameters():
        parameter.requires_grad_(False)
    assert torch.equal(first(outside, batch), expected)  # with gradients on


@pytest.mark.parametrize("family", BUILD)
def test_an_audit_under_it_is_the_same_audit(family: str) -> None:
    spiking = las.convert(BUILD[family](), batches(family))
    for model in (spiking, BUILD[family]()):
        expected = audit(model)
        with torch.inference_mode():
            assert [(r.operation, r.module, r.verdict) for r in audit(model).floats] == [
                (r.operation, r.module, r.verdict) for r in expected.floats
            ]
            assert audit(model).clean == expected.clean


@pytest.mark.parametrize("family", BUILD)
def test_passes_count_alike_and_a_move_between_them_changes_nothing(family: str) -> None:
    model, batch = las.convert(BUILD[family](), batches(family)), batches(family)[0]
    with torch.no_grad(), las.count_spikes(model) as outside:
        expected = first(model, batch)
    with torch.inference_mode(), las.count_spikes(model) as inside:
        output = first(model.to("cpu"), batch)
        with las.simulate(model):
            simulated = first(model.to(torch.device("cpu")), batch)
    assert torch.equal(output, expected)
    assert (simulated - expected).norm() < 1e-2 * expected.norm()
    assert {name: site.activations for name, site in inside.sites.items()} == {
        name: 2 * site.activations for name, site in outside.sites.items()
    }


def test_what_was_kept_of_a_pass_under_it_serves_one_with_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tables of the path without kernels are made once, whoever comes first."""
    model, (batch,) = las.convert(plain.llama(), plain.batches()), plain.batches(1)
    for module in (attention, feed_forward, norm, fused):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)
    tensors._tensors.cache_clear()
    tensors._hg_tensors.cache_clear()
    with torch.inference_mode():
        expected = model(**batch).logits
    embedded = model.get_input_embeddings()(batch["input_ids"]).detach().requires_grad_()
    output = model(inputs_embeds=embedded, attention_mask=batch["attention_mask"]).logits
    assert torch.equal(output, expected)

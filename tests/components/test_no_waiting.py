"""A pass asks a GPU for no number: it would be held up until all that it has to do is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Gemma2ForCausalLM, GptOssForCausalLM, PreTrainedModel

import las
from las.components import attention, feed_forward, norm
from las.components.multihead import spiking_multihead_attention
from las.neurons import encoding, fused
from tests.components.waits import waits
from tests.tiny_models import plain

USERS = (attention, feed_forward, norm, fused)
GROUPED: dict[str, Any] = dict(
    num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_hidden_layers=1
)
EXPERTS: dict[str, Any] = dict(num_local_experts=4, num_experts_per_tok=2)
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: plain.llama(layers=1),
    "gemma 2, capped": lambda: plain.make(Gemma2ForCausalLM, sliding_window=3, **GROUPED),
    "gpt-oss": lambda: plain.make(GptOssForCausalLM, **EXPERTS, **GROUPED, sliding_window=3),
}


@cache
def converted(name: str) -> PreTrainedModel:
    return las.convert(MODELS[name](), plain.batches())


def batch() -> dict[str, torch.Tensor]:
    ids = plain.batches()[0]["input_ids"][:2, :4]
    mask = torch.ones_like(ids)
    mask[0, -2:] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Models run as on a GPU from then on: they launch kernels, which do nothing, or have none."""

    def go(triton: bool) -> None:
        monkeypatch.setattr(encoding, "_READ_AT_ONCE", ())
        for module in USERS:
            monkeypatch.setattr(module, "has_triton", lambda x: triton)
            monkeypatch.setattr(module, "has_kernels", lambda x: False)
        if triton:
            pytest.importorskip("las.neurons.gpu", exc_type=ImportError)
            from las.neurons.gpu.attention import _attend
            from las.neurons.gpu.coding import _code_hg, _code_oat
            from las.neurons.gpu.gate import _gate
            from las.neurons.gpu.norm import _normalise

            for kernel in (_attend, _code_hg, _code_oat, _gate, _normalise):
                monkeypatch.setattr(kernel, "run", lambda *args, **options: None)

    return go


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("triton", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_a_model(name: str, triton: bool, counting: bool, on_a_gpu) -> None:
    """A mixture asks once a layer which experts run.

    Where spikes are counted, it is asked as the pass begins whether tokens are padding.
    """
    model = converted(name)
    on_a_gpu(triton)
    counts = las.count_spikes(model) if counting else nullcontext()
    with torch.no_grad(), counts, waits() as found:
        model(**batch())
    expected = {"askers": 1} if name == "gpt-oss" else {}
    assert found == expected | ({"_last": 1} if counting else {})


HIDDEN = torch.zeros(2, 5, dtype=torch.bool).index_fill(1, torch.tensor([3]), True)


@pytest.mark.parametrize("mask", [HIDDEN, -1e9 * HIDDEN.float()])
def test_masks_of_either_kind(mask: torch.Tensor, spiking, on_a_gpu) -> None:
    dense = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    spikes = spiking(spiking_multihead_attention(dense))
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    expected = spikes(x, x, x, key_padding_mask=mask)[0]
    on_a_gpu(False)
    with torch.no_grad(), waits() as found:
        given = spikes(x, x, x, key_padding_mask=mask)[0]
    assert not found
    assert torch.allclose(given, expected, rtol=0, atol=1e-12)


def test_what_waits_is_found() -> None:
    """The checks above can fail."""
    attend, seen = attention.SpikingAttention(), torch.ones(1, 1, 2, 3, dtype=torch.bool)
    with waits() as found:
        attention._last_seen(seen)
        attend.query.shape_of(torch.ones(2, 3))
        encoding.total(seen)
    assert found == {"_last_seen": 2, "total": 1}

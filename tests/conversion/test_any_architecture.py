"""What every model owes its original: outputs, spikes, generation, files, a clean audit.

One check of one model: `pytest tests/conversion/test_any_architecture.py -k "outputs and llama"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import pad
from transformers import GenerationMixin

import las
from las.errors import UnsupportedModelError
from tests.conversion.converted import Pair, converted, relative
from tests.tiny_models import TINY_MODELS
from tests.tiny_models.tiny_model import Batch, beside_massive

CONVERTED = [name for name, tiny in TINY_MODELS.items() if not tiny.refused]
WRITERS = [name for name in CONVERTED if TINY_MODELS[name].generates]
REFUSED = [name for name, tiny in TINY_MODELS.items() if tiny.refused]


QUICK = {
    "bart",
    "bert-mlm",
    "clip",
    "cohere-normed",
    "deberta-v2-mlm",
    "dinov2",
    "falcon-alibi",
    "gemma2",
    "gpt-oss",
    "gptj",
    "llama",
    "mixtral",
    "olmo2",
    "qwen2-vl",
    "whisper",
}
"""One of each kind, for `make quick`."""


def in_turn(names: list[str]) -> list[Any]:
    """Parameters, most of them of slow tests."""
    return [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in names]


@pytest.fixture(params=in_turn(CONVERTED))
def pair(request: pytest.FixtureRequest) -> Pair:
    return converted(request.param)


@pytest.fixture(params=in_turn(WRITERS))
def writer(request: pytest.FixtureRequest) -> Pair:
    return converted(request.param)


def in_double(batch: Batch) -> Batch:
    return {name: x.double() if x.is_floating_point() else x for name, x in batch.items()}


def test_outputs_stay_the_same(pair: Pair, record_property: Callable[[str, object], None]) -> None:
    """With the massive channel or token, which dwarfs the others, and without it."""
    errors = []
    for seed in (9, 10, 11):
        (unseen,) = pair.tiny.batches(1, seed=seed, rows=2, length=20, written=11, padding=6)
        outputs = (pair.tiny.read(model, unseen) for model in (pair.spiking, pair.dense))
        for spiking, dense in zip(*outputs, strict=True):
            errors.append(relative(spiking, dense))
            errors.append(relative(beside_massive(spiking), beside_massive(dense)))
    record_property("error", max(errors))
    assert all(0 < error <= 1e-3 for error in errors), errors


def test_simulator_and_fused_path_agree_spike_for_spike(pair: Pair) -> None:
    model = pair.in_float64()
    (batch,) = pair.tiny.batches(1, seed=5, rows=2, length=10, written=6, padding=3)
    batch = in_double(batch)
    with las.count_spikes(model) as fused_spikes:
        fused = pair.tiny.read(model, batch)
    with las.simulate(model), las.count_spikes(model) as simulated_spikes:
        simulated = pair.tiny.read(model, batch)
    tolerance = 1e-6 if pair.tiny.rounds else 1e-11 if "pixel_values" in batch else 1e-12
    assert all(relative(a, b) < tolerance for a, b in zip(fused, simulated, strict=True))
    counts = {name: (site.activations, site.spikes) for name, site in fused_spikes.sites.items()}
    assert counts == {
        name: (site.activations, site.spikes) for name, site in simulated_spikes.sites.items()
    }
    assert sum(spikes for _, spikes in counts.values()) > 0


def test_generation_with_a_cache_gives_the_tokens_of_a_full_forward_pass(writer: Pair) -> None:
    model, prompt, new = writer.in_float64(), in_double(writer.tiny.prompt(length=5)), 8
    options: Any = dict(max_new_tokens=new, do_sample=False, eos_token_id=None, pad_token_id=0)
    picture = getattr(model.config, "image_token_id", None)  # no word that it may write
    options |= {} if picture is None else {"suppress_tokens": [picture]}
    with torch.no_grad():
        tokens = GenerationMixin.generate(model, **prompt, **options)  # Whisper's own cuts texts
        if model.config.is_encoder_decoder:
            length, whole = 1, prompt | {"decoder_input_ids": tokens}
        else:
            length = prompt["input_ids"].shape[1]
            of_tokens = {name: x for name, x in prompt.items() if x.shape == (2, length)}
            whole = prompt | {name: pad(x, (0, new)) for name, x in of_tokens.items()}
            whole |= {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        full = model(**whole, use_cache=False).logits
        if picture is not None:
            full[..., picture] = -torch.inf
    assert tokens.shape == (2, length + new)
    assert torch.equal(tokens[:, length:], full[:, length - 1 : -1].argmax(-1))


def test_gradients_point_where_those_of_the_original_do(pair: Pair) -> None:
    """Of a random weighted sum of the outputs, with respect to every parameter."""
    (batch,) = pair.tiny.batches(1, seed=9, rows=2, length=20, written=11, padding=6)
    found = []
    for model in (pair.dense, pair.spiking):
        outputs = pair.tiny.read(model, batch, gradients=True)
        generator = torch.Generator().manual_seed(0)
        total = sum((x * torch.randn(x.shape, generator=generator)).sum() for x in outputs)
        total.backward()  # type: ignore[union-attr]
        found.append({name: one.grad for name, one in model.named_parameters()})
        model.zero_grad()
    dense, spiking = found
    assert {name for name, one in dense.items() if one is None} == {
        name for name, one in spiking.items() if one is None
    }
    sizes = {name: float(one.norm()) for name, one in dense.items() if one is not None}
    assert sizes
    least = 1e-5 * max(sizes.values())  # below, rounding: no key's bias changes a softmax
    cosines = {
        name: float(torch.cosine_similarity(dense[name].flatten(), spiking[name].flatten(), 0))
        for name, size in sizes.items()
        if size > least
    }
    assert min(cosines.values()) >= 0.99, sorted(cosines.items(), key=lambda one: one[1])[:5]


def test_an_adapter_gives_the_same_bits(pair: Pair, tmp_path: Any) -> None:
    las.save(pair.spiking, tmp_path)
    assert_same_bits(las.load(pair.tiny.build(), tmp_path), pair)


def test_a_checkpoint_gives_the_same_bits(pair: Pair, tmp_path: Any) -> None:
    pair.spiking.save_pretrained(tmp_path)
    again = type(pair.dense).from_pretrained(tmp_path)
    assert_same_bits(again, pair)
    assert set(again.state_dict()) == set(pair.dense.state_dict())


def assert_same_bits(again: Any, pair: Pair) -> None:
    (batch,) = pair.tiny.batches(1, seed=8)
    outputs = (pair.tiny.read(model, batch) for model in (again, pair.spiking))
    for ours, theirs in zip(*outputs, strict=True):
        assert torch.equal(ours, theirs)
    for path, module in pair.spiking.named_modules():
        assert type(again.get_submodule(path)) is type(module)


def test_no_operation_is_float(pair: Pair) -> None:
    (batch,) = pair.tiny.batches(1, rows=2)
    report = las.audit(pair.spiking, batch)
    assert report.clean, str(report)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_converted_is_refused_by_name(name: str) -> None:
    tiny = TINY_MODELS[name]
    model = tiny.build()
    before = {path: type(module) for path, module in model.named_modules()}
    with pytest.raises(UnsupportedModelError, match=rf"{tiny.refused}(.|\n)*@las\.converts"):
        las.convert(model, tiny.batches())
    assert {path: type(module) for path, module in model.named_modules()} == before

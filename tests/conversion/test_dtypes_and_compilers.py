"""Other dtypes, autocast, and compilers: a spiking model runs where its original does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import las
from las.conversion import twin
from las.errors import UnsupportedModelError
from tests.tiny_models import plain

Batches = Callable[..., list[dict[str, Tensor]]]


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())


def in_a_pair(request: pytest.FixtureRequest, make_batches: Batches) -> tuple[Any, Any]:
    """An original and its conversion."""
    ann = request.getfixturevalue(request.param)
    return ann, las.convert(twin(ann), make_batches())


pair = pytest.fixture(params=["llama", "bert"])(in_a_pair)


def first(output: Any) -> Tensor:
    tensor: Tensor = output[0]
    return tensor


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_it_is_as_good_as_the_original(pair, make_batches, dtype) -> None:
    ann, snn = pair
    (batch,) = make_batches(count=1, padding=3)
    keep = batch["attention_mask"].bool()
    with torch.no_grad():
        exact = first(ann(**batch))[keep]
        with torch.autocast("cpu", dtype=dtype):
            errors = [relative(first(model(**batch))[keep], exact) for model in (snn, ann)]
    spiking, original = errors
    assert spiking < 2 * original + 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_under_autocast(pair, make_batches, dtype) -> None:
    ann, snn = pair
    (batch,) = make_batches(count=1)
    found = []
    for model in (ann, copy.deepcopy(snn)):
        model.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            loss = first(model(**batch)).float().square().mean()
        loss.backward()
        found.append(torch.cat([one.grad.flatten().float() for one in model.parameters()
                                if one.grad is not None]))  # fmt: skip
    assert float(torch.cosine_similarity(*found, 0)) > 0.9


@pytest.mark.parametrize(
    ("family", "backend"),
    [
        ("bert", "eager"),
        pytest.param("bert", "inductor", marks=pytest.mark.slow),
    ],
)
def test_a_compiled_model_gives_the_same_outputs(family, backend, request, make_batches) -> None:
    snn = las.convert(request.getfixturevalue(family), make_batches())
    torch.compiler.reset()
    # Inductor fuses what is float and rounds otherwise, so that a spike at a border is another one.
    tolerance = 1e-4 if backend == "inductor" else 1e-6
    compiled = torch.compile(snn, backend=backend)
    with torch.no_grad():
        for seed, length in ((1, 20), (2, 20), (3, 11)):
            (batch,) = make_batches(count=1, seed=seed, length=length, padding=3)
            keep = batch["attention_mask"].bool()
            assert relative(first(compiled(**batch))[keep], first(snn(**batch))[keep]) < tolerance


def test_an_encoder_is_one_graph(bert, make_batches) -> None:
    snn = las.convert(bert, make_batches())
    torch.compiler.reset()
    compiled = torch.compile(snn, backend="aot_eager", fullgraph=True)
    (batch,) = make_batches(count=1)
    with torch.no_grad():
        assert relative(first(compiled(**batch)), first(snn(**batch))) < 1e-6


@pytest.mark.slow
def test_a_compiled_model_is_counted_simulated_and_stopped(pair, make_batches) -> None:
    _, snn = pair
    (batch,) = make_batches(count=1, length=8)
    torch.compiler.reset()
    compiled = torch.compile(snn, backend="eager")
    with torch.no_grad():
        compiled(**batch)
        with las.count_spikes(snn) as wanted:
            snn(**batch)
        with las.count_spikes(compiled) as counted:
            compiled(**batch)
        assert counted.spikes == wanted.spikes > 0
        with las.simulate(snn):
            assert relative(first(compiled(**batch)), first(snn(**batch))) < 1e-6
        with las.stop_after(snn, 4):
            assert relative(first(compiled(**batch)), first(snn(**batch))) < 1e-6


@pytest.mark.slow
def test_gradients_of_a_compiled_model(pair, make_batches) -> None:
    _, snn = pair
    (batch,) = make_batches(count=1)
    torch.compiler.reset()
    found = []
    for model in (snn, torch.compile(snn, backend="aot_eager")):
        snn.zero_grad()
        first(model(**batch)).square().mean().backward()
        found.append({name: one.grad.clone() for name, one in snn.named_parameters()
                      if one.grad is not None})  # fmt: skip
    eager, compiled = found
    assert eager.keys() == compiled.keys()
    for name, gradient in eager.items():
        torch.testing.assert_close(compiled[name], gradient, rtol=1e-4, atol=1e-6)


def test_export_is_refused_with_the_reason(pair, make_batches) -> None:
    _, snn = pair
    (batch,) = make_batches(count=1)
    with pytest.raises((UnsupportedModelError, Exception), match="cannot be exported"):
        torch.export.export(snn, (), kwargs={**batch, "use_cache": False}, strict=False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_default_dtype_of_the_process_does_not_matter(dtype, make_batches) -> None:
    wanted = las.convert(plain.llama(), plain.batches())
    (batch,) = plain.batches(1)
    with torch.no_grad():
        outputs = wanted(**batch).logits
    model, again = plain.llama(), plain.llama()
    torch.set_default_dtype(dtype)
    try:
        las.convert(model, plain.batches())
        with torch.no_grad():
            assert torch.equal(model(**batch).logits, outputs)
    finally:
        torch.set_default_dtype(torch.float32)
    batches = plain.batches()
    with torch.device("meta"):
        las.convert(again, batches)
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, outputs)

"""The cosine of two embeddings, which a model computes in its own forward."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import las
from las.components.cosine import Embedding, SpikingCosine, SpikingUnitVector

TEXTS, IMAGES, WIDTH = 3, 4, 12

Unit = Callable[[Tensor], Tensor]


def by_powers(x: Tensor) -> Tensor:
    return x / torch.pow(torch.sum(torch.pow(x, 2), dim=-1, keepdim=True), 0.5)


WAYS: dict[str, Unit] = {
    "norm": lambda x: x / x.norm(p=2, dim=-1, keepdim=True),
    "norm-of-torch": lambda x: x / torch.norm(x, 2, -1, keepdim=True),
    "vector-norm": lambda x: x / torch.linalg.vector_norm(x, dim=-1, keepdim=True),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "powers": by_powers,
    "root": lambda x: x / torch.sqrt(torch.sum(x**2, -1, keepdim=True)),
}


class Tower(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return SimpleNamespace(pooler_output=x)


class Towers(nn.Module):
    """Two towers; `unit` is how it makes unit vectors."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self.text, self.image = nn.Identity(), Tower()
        self.unit = unit

    def forward(self, texts: Tensor, images: Tensor) -> dict[str, Tensor]:
        a, b = self.unit(self.text(texts)), self.unit(self.image(images).pooler_output)
        return {"texts": a, "images": b, "cosine": a @ b.t().to(a.device) * 10}


def towers(unit: Unit = by_powers) -> Towers:
    model = Towers(unit)
    SpikingCosine(["text", "image"]).add_to(model)
    return model


@pytest.fixture
def embeddings() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    texts = torch.randn(TEXTS, WIDTH, generator=generator, dtype=torch.float64)
    return texts, torch.randn(IMAGES, WIDTH, generator=generator, dtype=torch.float64)


def test_a_unit_vector_by_hand(spiking) -> None:
    unit = spiking(SpikingUnitVector())
    x = torch.tensor([[3.0, -4.0], [0.0, 2.0]], dtype=torch.float64)
    expected = torch.tensor([[0.6, -0.8], [0.0, 1.0]], dtype=torch.float64)
    assert torch.allclose(unit(x), expected, atol=0.02)


@pytest.mark.parametrize("way", WAYS)
def test_spikes_answer_however_the_model_asks(way, spiking, embeddings, assert_one_truth) -> None:
    model = spiking(towers(WAYS[way]))
    y = assert_one_truth(model, lambda: model(*embeddings)["cosine"])
    expected = Towers(WAYS[way])(*embeddings)["cosine"]
    assert torch.allclose(y, expected, atol=0.2)
    with las.count_spikes(model) as tally:
        model(*embeddings)
    names = {f"top.spiking_cosine.units.{name}" for name in ("text", "image")}
    assert tally.operations.keys() == names | {"top.spiking_cosine.product"}


def test_what_leaves_the_model_is_plain(spiking, embeddings) -> None:
    model = spiking(towers())
    assert all(type(x) is Tensor for x in model(*embeddings).values())
    assert type(model.text(embeddings[0])) is Tensor  # nobody compares it with anything


def test_each_operation_costs_what_the_shapes_say(spiking, embeddings) -> None:
    model = spiking(towers())
    with las.count_spikes(model) as tally:
        model(*embeddings)
    cosine = "top.spiking_cosine"
    product = tally.operations[f"{cosine}.product"]
    left, right = (tally.sites[f"{cosine}.product.{side}"].spikes for side in ("left", "right"))
    assert product.macs == TEXTS * IMAGES * WIDTH
    assert product.sops == left * IMAGES + right * TEXTS > 0
    for name, x in zip(("text", "image"), embeddings, strict=True):
        assert tally.operations[f"{cosine}.units.{name}"].macs == 3 * prod(x.shape)


def test_anything_else_is_pytorchs(spiking, embeddings) -> None:
    """It is right, and for the audit to find."""

    def other(x: Tensor) -> Tensor:
        length = torch.pow(torch.sum(torch.pow(x, 2), dim=-1, keepdim=True), 0.5)
        return (x + 1) / torch.maximum(length, torch.full_like(length.value(), 1e-3))

    model = spiking(towers(lambda x: other(x) if isinstance(x, Embedding) else x))
    with las.count_spikes(model) as tally:
        y = model(*embeddings)["texts"]
    assert torch.allclose(y, (embeddings[0] + 1) / embeddings[0].norm(dim=-1, keepdim=True))
    assert not tally.operations


def test_a_length_divides_only_its_own_embedding(spiking, embeddings) -> None:
    a, b = (Embedding.of(x, SpikingCosine(["a"]), "a") for x in (embeddings[0], embeddings[0] * 2))
    quotient = a / b.norm(dim=-1, keepdim=True)
    assert torch.allclose(quotient, embeddings[0] / (2 * embeddings[0]).norm(dim=-1, keepdim=True))


def test_an_error_within_leaves_nothing_behind(spiking, embeddings) -> None:
    model = spiking(towers())
    with pytest.raises(RuntimeError):
        model(embeddings[0], embeddings[1][:, :5])
    assert type(model.text(embeddings[0])) is Tensor
    assert model(*embeddings)["cosine"].shape == (TEXTS, IMAGES)


def test_copies_and_pickles_answer_with_their_own_neurons(spiking, embeddings) -> None:
    model = spiking(towers())
    expected = model(*embeddings)["cosine"]
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with las.count_spikes(model) as untouched, las.count_spikes(other) as tally:
            assert torch.equal(other(*embeddings)["cosine"], expected)
        assert tally.spikes > 0
        assert untouched.spikes == 0

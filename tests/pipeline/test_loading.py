"""Models are read in the dtype of their config, and onto the devices of the placement."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.loading import load_model
from tests import tiny_models
from tests.conversion.placing import away


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_models.build("llama").save_pretrained(folder)
    return folder


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(**tiny_models.batches("llama", 1)[0])[0]


def test_float32_in_memory_if_nothing_else_is_said(composed, directory: Path) -> None:
    model = load_model(directory, composed())
    assert not any(away(model))
    assert torch.equal(logits(model), logits(tiny_models.build("llama")))


def test_half_precision(composed, directory: Path) -> None:
    model = load_model(directory, composed("model.dtype=bfloat16"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_what_memory_does_not_hold_stays_on_disk(composed, directory: Path, tmp_path: Path) -> None:
    size = sum(parameter.nbytes for parameter in tiny_models.build("llama").parameters())
    cfg = composed(
        "placement=auto", f"+placement.max_memory={{cpu: {size // 2}}}", f"root={tmp_path}"
    )
    model = load_model(directory, cfg)
    assert any(away(model))
    assert torch.equal(logits(model), logits(tiny_models.build("llama")))

from __future__ import annotations

import pytest
import torch
from torch import nn

from las.calibration import fingerprint
from las.conversion import prepare
from tests import tiny_models


def test_the_same_weights_have_the_same_fingerprint_in_any_precision(llama) -> None:
    before = fingerprint(llama)
    llama.to(torch.bfloat16)
    assert fingerprint(llama) == before
    assert fingerprint(llama.float()) == before


def test_swapping_modules_does_not_change_it(llama) -> None:
    before = fingerprint(llama)
    assert fingerprint(prepare(llama)) == before


def test_other_weights_shapes_or_names_change_it() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8))
    before = fingerprint(model)
    with torch.no_grad():
        model[0].weight += 0.01
    tuned = fingerprint(model)
    assert tuned != before
    assert fingerprint(nn.Sequential(nn.Identity(), model[0])) != tuned
    zeros = [nn.Linear(size, 4, bias=False) for size in (4, 8)]
    for linear in zeros:
        nn.init.zeros_(linear.weight)
    assert fingerprint(zeros[0]) != fingerprint(zeros[1])


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("text_config", "num_attention_heads", 8), ("vision_config", "hidden_act", "gelu")],
)
def test_what_the_parts_of_a_model_compute_is_its_identity_too(part, field, value) -> None:
    model = tiny_models.build("llava")
    before = fingerprint(model)
    setattr(getattr(model.config, part), field, value)
    assert fingerprint(model) != before

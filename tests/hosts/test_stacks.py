from __future__ import annotations

import pytest
from torch import nn

from las.hosts.stacks import stacks
from tests.conversion import encoder_decoders, families, vision_families

BOTH = {
    "t5": ["encoder", "decoder"],
    "umt5": ["encoder", "decoder"],
    "t5-classification": ["transformer.encoder", "transformer.decoder"],
    "t5-questions": ["encoder", "decoder"],
}


@pytest.mark.parametrize("family", encoder_decoders.FAMILIES)
def test_an_encoder_and_its_decoder_by_path(family: str) -> None:
    """An encoder without a decoder is a model of one stack."""
    model = encoder_decoders.build(family)
    found = stacks(model)
    assert all(model.get_submodule(path) is stack for path, stack in found.items())
    paths = [""] if family in encoder_decoders.ENCODERS else BOTH.get(family, BOTH["t5"])
    assert list(found) == paths


def test_other_models_are_one_stack() -> None:
    for model in (
        families.build("llama"),
        families.build("bert-mlm"),
        vision_families.FAMILIES["llava"].build(),
        nn.Linear(2, 2),
    ):
        assert stacks(model) == {"": model}

from __future__ import annotations

import pytest
from torch import nn

from las.hosts.stacks import stacks
from tests import tiny_models
from tests.tiny_models import encoder_decoders

T5 = {"T5", "mT5", "UMT5", "Switch Transformers"}
BOTH = {
    "t5": ["encoder", "decoder"],
    "umt5": ["encoder", "decoder"],
    "t5-classification": ["transformer.encoder", "transformer.decoder"],
    "t5-questions": ["encoder", "decoder"],
}


@pytest.mark.parametrize("family", encoder_decoders.MODELS)
def test_an_encoder_and_its_decoder_by_path(family: str) -> None:
    """An encoder without a decoder is a model of one stack."""
    model = tiny_models.build(family)
    found = stacks(model)
    assert all(model.get_submodule(path) is stack for path, stack in found.items())
    inside = [f"model.{path}" for path in BOTH["t5"]]  # of its base model
    both = BOTH["t5"] if encoder_decoders.MODELS[family].family in T5 else inside
    paths = [""] if family in encoder_decoders.ENCODERS else BOTH.get(family, both)
    assert list(found) == paths


def test_other_models_are_one_stack() -> None:
    for model in (
        tiny_models.build("llama"),
        tiny_models.build("bert-mlm"),
        tiny_models.build("llava"),
        nn.Linear(2, 2),
    ):
        assert stacks(model) == {"": model}

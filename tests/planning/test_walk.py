"""What is read off shapes is what a converted model does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

import las
from las.components.running import observing
from las.conversion import prepare
from las.neurons.tally import SpikeTally
from las.planning.peak import PeakMemory
from las.planning.walk import Walk, walk
from tests import tiny_models
from tests.tiny_models import plain
from tests.tiny_models.tiny_model import VOCABULARY

ROWS, LENGTH = 2, 24


def config_of(model: Any) -> Any:
    """As a checkpoint's config.json has it."""
    model.config.architectures = [type(model).__name__]
    return model.config


def counted(model: Any, batches: list[Any], batch: Any) -> SpikeTally:
    las.convert(model, batches)
    with las.count_spikes(model) as tally, torch.no_grad():
        model(**batch)
    return tally


def assert_alike(walked: Walk, tally: SpikeTally) -> None:
    sites = {name: (site.kind, site.activations) for name, site in tally.sites.items()}
    assert {n: (p.kind, p.activations) for n, p in walked.populations.items()} == sites
    macs, nonlinear = Counter[str](), Counter[str]()
    for operation in tally.operations.values():
        macs[operation.kind] += operation.macs
        nonlinear.update(operation.nonlinear)
    assert walked.macs == dict(+macs)
    assert walked.nonlinear == dict(nonlinear)
    assert walked.tokens == tally.tokens


@pytest.mark.parametrize(
    "family",
    ["gpt2", "opt-350m", "llama", "mistral", "phi3", "gemma2", "gpt-neox", "bert-mlm"],
)
def test_sites_and_operations_of_text_models(family: str) -> None:
    """Causal and sliding masks, shared inputs, gated networks, capped scores."""
    model = tiny_models.build(family)
    walked = walk(config_of(model), torch.float32, ROWS, LENGTH)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    ids = torch.randint(3, VOCABULARY, (ROWS, LENGTH))
    assert_alike(walked, counted(model, tiny_models.batches("llama"), {"input_ids": ids}))
    assert walked.parameters == parameters


@pytest.mark.parametrize("family", ["t5", "umt5"])
def test_sites_and_operations_of_encoders_with_decoders(family: str) -> None:
    """A bias of positions, and keys of another sequence."""
    model = tiny_models.build(family)
    walked = walk(config_of(model), torch.float32, ROWS, LENGTH)
    ids = torch.randint(3, VOCABULARY, (ROWS, LENGTH))
    batch = {"input_ids": ids, "decoder_input_ids": ids}
    assert_alike(walked, counted(model, tiny_models.batches(family), batch))


@pytest.mark.parametrize("family", ["clip-vision", "siglip-vision"])
def test_sites_and_operations_of_models_that_see(family: str) -> None:
    tiny = tiny_models.TINY_MODELS[family]
    model = tiny.build()
    walked = walk(config_of(model), torch.float32, ROWS, LENGTH)
    assert_alike(walked, counted(model, tiny.batches(), tiny.batches(1, rows=ROWS)[0]))


def test_the_cache_holds_the_keys_and_values_of_all_layers() -> None:
    model = tiny_models.build("llama")
    config = config_of(model)
    walked = walk(config, torch.float32, ROWS, LENGTH)
    with torch.no_grad():
        cache = model(torch.randint(3, 9, (ROWS, LENGTH)), use_cache=True).past_key_values
    kept = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert walked.cached == kept
    encoder = walk(config_of(tiny_models.build("bert-classification")), torch.float32, ROWS, LENGTH)
    assert encoder.cached == 0


def test_half_precision_takes_half_the_memory_of_activations() -> None:
    """Of the dense model; scores of attention and masks are a part of it too."""
    config = config_of(tiny_models.build("llama"))
    config.vocab_size = 2**12  # of a real model
    wide = walk(config, torch.float32, 1, 48).peak_ann
    half = walk(config, torch.bfloat16, 1, 48).peak_ann
    assert 0.4 * wide < half < 0.6 * wide


@pytest.mark.parametrize("family", ["llama", "bert-mlm", "opt"])
def test_memory_is_what_pytorch_allocates(family: str) -> None:
    """Calibration to the byte; the others take less than shapes say.

    On the CPU the ANN's attention, and that of the SNN, hold the scores of a block at a time.
    """

    class Calibration:
        """It keeps the importance of the channels."""

        def __init__(self) -> None:
            self.kept: list[torch.Tensor] = []

        def observe(self, site: Any, x: torch.Tensor, importance: Any) -> torch.Tensor:
            if importance is not None:
                self.kept.append(importance())
            return x

    model = tiny_models.build(family)
    walked = walk(config_of(model), torch.float32, ROWS, LENGTH)
    ids = torch.randint(3, VOCABULARY, (ROWS, LENGTH))

    def peak(model: Any) -> int:
        with torch.no_grad(), PeakMemory() as memory:
            model(input_ids=ids)
        return memory.peak

    assert peak(model) <= walked.peak_ann
    prepare(model)
    with observing(model, Calibration()):
        assert peak(model) == walked.peak_observed
    assert (
        peak(las.convert(tiny_models.build(family), tiny_models.batches("llama")))
        <= walked.peak_observed
    )


def test_a_config_is_left_as_it_was() -> None:
    config = config_of(tiny_models.build("gpt2"))
    before = config.to_dict()
    walk(config, torch.float32, 1, 8)
    assert config.to_dict() == before


def test_a_model_that_las_does_not_convert_is_refused() -> None:
    config = config_of(tiny_models.build("opt"))
    config.activation_function = "mish"
    with pytest.raises(las.errors.UnsupportedModelError, match="Mish"):
        walk(config, torch.float32, 1, 8)


def test_nothing_is_allocated() -> None:
    """A layer of 10^12 weights would not fit anywhere."""
    from transformers import LlamaConfig

    config = plain.config(
        LlamaConfig,
        vocab_size=32000,
        hidden_size=2**18,
        intermediate_size=2**20,
        num_hidden_layers=1,
        num_attention_heads=2**11,
    )
    config.architectures = ["LlamaForCausalLM"]
    walked = walk(config, torch.float16, 1, 4)
    attention, gated = 4 * 2**36, 3 * 2**38
    embeddings = 2 * config.vocab_size * 2**18
    assert walked.parameters == attention + gated + embeddings + 3 * 2**18

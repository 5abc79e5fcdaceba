from __future__ import annotations

import pytest
import torch

from las.planning import CARDS, Devices, parse_card, parse_gpus
from las.planning.meta_model import meta_model
from las.planning.placement import place
from tests import tiny_models


@pytest.fixture
def model():
    config = tiny_models.build("llama").config
    config.architectures = ["LlamaForCausalLM"]
    return meta_model(config, torch.float32)


def test_gpus_are_a_number_and_a_size() -> None:
    assert parse_gpus("8x24") == (24e9,) * 8
    assert parse_gpus("1x141.5") == (141.5e9,)


@pytest.mark.parametrize("name", CARDS)
def test_gpus_have_names(name: str) -> None:
    assert parse_gpus(f"4x{name}") == (CARDS[name].memory,) * 4
    assert parse_card(f"4x{name}") == CARDS[name]
    assert parse_card("4x24") is None


@pytest.mark.parametrize(
    "text", ["8", "8x", "0xH100", "2xB17", "H100", "x24", "0x24", "2x0", "8x24GB", "8*24"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"e\.g\. 8x24"):
        parse_gpus(text)


def test_what_no_gpu_holds_goes_to_the_processor_and_then_to_the_disk(model) -> None:
    size = sum(parameter.nbytes for parameter in model.parameters())
    layer = sum(parameter.nbytes for parameter in model.model.layers[0].parameters())
    everything = place(model, Devices((2.0 * size,), 10.0 * size), 0)
    assert everything.bytes == {"GPU 0": size}
    assert (everything.moved, everything.read) == (0, 0)
    some = place(model, Devices((size - layer,) * 1, layer / 2), 0)
    assert sum(some.bytes.values()) == size
    assert some.moved == some.bytes.get("CPU", 0)
    assert some.read == some.bytes["disk"] > 0
    alone = place(model, Devices((), 10.0 * size), 0)
    assert (alone.bytes, alone.moved) == ({"CPU": size}, 0)


def test_layers_stay_whole(model) -> None:
    size = sum(parameter.nbytes for parameter in model.parameters())
    found = place(model, Devices((0.7 * size, 0.7 * size), 10.0 * size), 0)
    layers = [path for paths in found.modules.values() for path in paths if "layers." in path]
    assert layers == ["model.layers.0", "model.layers.1"]


def test_a_device_too_small_to_compute_on_is_refused(model) -> None:
    with pytest.raises(ValueError, match="a smaller batch or shorter sequences"):
        place(model, Devices((1e6,), 1e9), 1e6)

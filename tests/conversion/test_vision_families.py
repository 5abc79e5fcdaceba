"""What models that see owe their originals beside the checks of all architectures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

import las
from las.calibration import choose_thresholds, collect
from las.components.convolution import SpikingConvolution
from las.conversion import is_spiking, prepare
from las.conversion.adapter import write_adapter
from las.conversion.state import assemble
from las.errors import CalibrationError, UnsupportedModelError
from las.fitting import fit_functions
from tests.conversion.converted import converted as converted_whole
from tests.conversion.converted import relative
from tests.tiny_models import TINY_MODELS
from tests.tiny_models.batches import PATCH
from tests.tiny_models.tiny_model import beside_massive

TOWERS = {"llava": "model.vision_tower", "qwen2-vl": "model.visual", "qwen2.5-vl": "model.visual"}
TEXT = ["clip-text", "clip-text-projection"]
SEES = [
    "clip-vision",
    "clip-vision-projection",
    "clip-classification",
    "siglip-vision",
    "siglip-vision-without-head",
    "vit",
    "vit-classification",
    *TOWERS,
]
FAMILIES = {name: TINY_MODELS[name] for name in (*TEXT, *SEES)}
WAYS = [*((name, "spiking") for name in FAMILIES), *((name, "analog") for name in TOWERS)]


@cache
def converted(name: str, vision: Any = "spiking") -> Any:
    if vision == "spiking":
        return converted_whole(name).spiking
    family = FAMILIES[name]
    return las.convert(family.build(), family.batches(), las.SpikeConfig(vision=vision))


@pytest.mark.parametrize("name", TOWERS)
def test_outputs_stay_the_same_beside_an_analog_tower(name):
    family = FAMILIES[name]
    (batch,) = family.batches(count=1, rows=3, seed=9)
    outputs = (family.read(model, batch) for model in (converted(name, "analog"), family.build()))
    for spiking, dense in zip(*outputs, strict=True):
        assert 0 < relative(beside_massive(spiking), beside_massive(dense)) < 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_patches_are_read_by_a_spiking_convolution(name):
    (batch,) = FAMILIES[name].batches(count=1, rows=2)
    report = las.audit(converted(name), batch)
    assert any(row.operation == "SpikingConvolution" for row in report.rows) == (name in SEES)


@pytest.mark.parametrize("name", TOWERS)
def test_an_analog_tower_is_an_exception_and_computes_what_it_did(name):
    family = FAMILIES[name]
    model, dense = converted(name, "analog"), family.build()
    (batch,) = family.batches(count=1, rows=2)
    report = las.audit(model, batch)
    assert report.clean, str(report)
    (row,) = [row for row in report.rows if row.module.startswith(TOWERS[name])]
    assert (row.verdict, row.note) == ("exception", "vision tower left analog, as in the paper")
    tower = model.get_submodule(TOWERS[name])
    assert not is_spiking(tower)
    seen, asked = batch["pixel_values"], batch.get("image_grid_thw")
    inputs = (seen,) if asked is None else (seen, asked)
    with torch.no_grad():
        expected = dense.get_submodule(TOWERS[name])(*inputs).last_hidden_state
        assert torch.equal(tower(*inputs).last_hidden_state, expected)


def through_an_adapter(name: str, model: Any, directory: Any) -> Any:
    las.save(model, directory)
    return las.load(FAMILIES[name].build(), directory)


def through_a_checkpoint(name: str, model: Any, directory: Any) -> Any:
    model.save_pretrained(directory)
    return type(model).from_pretrained(directory)


@pytest.mark.parametrize("way", [through_an_adapter, through_a_checkpoint])
@pytest.mark.parametrize(("name", "vision"), WAYS)
def test_it_comes_back_bit_for_bit(name, vision, way: Callable[..., Any], tmp_path):
    model = converted(name, vision)
    again = way(name, model, tmp_path)
    (batch,) = FAMILIES[name].batches(count=1, rows=2, seed=8)
    family = FAMILIES[name]
    with torch.no_grad():
        for a, b in zip(family.read(again, batch), family.read(model, batch), strict=True):
            assert torch.equal(a, b)
    for path, module in model.named_modules():
        assert type(again.get_submodule(path)) is type(module)


@pytest.mark.parametrize("name", SEES)
def test_the_patch_embedding_keeps_its_weights(name):
    model = FAMILIES[name].build()
    weights = dict(model.named_parameters())
    prepare(model)
    (embedding,) = [m for m in model.modules() if isinstance(m, SpikingConvolution)]
    assert any(embedding.weight is weight for weight in weights.values())
    assert {id(p) for p in model.parameters()} == {id(p) for p in weights.values()}
    assert dict(model.named_parameters()).keys() == weights.keys()


@pytest.mark.parametrize("name", ["clip-vision", "siglip-vision", "vit-classification"])
def test_patches_are_the_tokens_of_a_vision_tower(name):
    model = converted(name)
    (batch,) = FAMILIES[name].batches(count=1, rows=2)
    images, _, height, width = batch["pixel_values"].shape
    for call in (lambda: model(**batch), lambda: model(batch["pixel_values"])):
        with las.count_spikes(model) as spikes, torch.no_grad():
            call()
        assert spikes.tokens == images * (height // PATCH) * (width // PATCH)


def test_the_padding_of_texts_says_nothing_about_images():
    """As many images as texts, and as many places in a tower as tokens in a text."""
    model = prepare(FAMILIES["llava"].build())
    (batch,) = FAMILIES["llava"].batches(count=1, rows=4)
    places = 1 + 9  # the class token and the patches
    short = {name: value[:, :places].clone() for name, value in batch.items() if value.dim() == 2}
    short["attention_mask"][:, -1] = 0
    short["input_ids"] = torch.where(short["input_ids"] == 3, 3, 9)
    statistics = collect(model, [batch | short])
    in_tower = statistics.sites["model.vision_tower.encoder.layers.0.layer_norm1.input"]
    in_text = statistics.sites["model.language_model.layers.0.input_layernorm.input"]
    assert in_tower.count == 4 * places * 32
    assert in_text.count == 4 * (places - 1) * 32


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_that_has_run_before_converts_as_well(name):
    """When some models run first, transformers hooks their attention to capture its outputs."""
    family = FAMILIES[name]
    model = family.build()
    (batch,) = family.batches(count=1, rows=2, seed=8)
    with torch.no_grad():
        model(**batch, output_hidden_states=True)
        las.convert(model, family.batches())
        for a, b in zip(
            family.read(model, batch), family.read(converted(name), batch), strict=True
        ):
            assert torch.equal(a, b)


def test_a_tower_alone_cannot_be_left_analog():
    family = FAMILIES["clip-vision"]
    with pytest.raises(UnsupportedModelError, match="nothing of it spikes"):
        las.convert(family.build(), family.batches(), las.SpikeConfig(vision="analog"))


@pytest.mark.parametrize("name", TOWERS)
def test_statistics_of_the_whole_model_serve_it_with_an_analog_tower_as_well(name, tmp_path):
    family = FAMILIES[name]
    config = las.SpikeConfig(vision="analog")
    statistics = collect(prepare(family.build()), family.batches())
    thresholds = choose_thresholds(statistics, config)
    functions = fit_functions(statistics, config)
    write_adapter(tmp_path, assemble(statistics, thresholds, functions, config))
    model = las.load(family.build(), tmp_path)
    assert not is_spiking(model.get_submodule(TOWERS[name]))
    (batch,) = family.batches(count=1, rows=2, seed=9)
    with torch.no_grad():
        read = [family.read(one, batch) for one in (model, family.build())]
    for spiking, dense in zip(*read, strict=True):
        assert relative(beside_massive(spiking), beside_massive(dense)) < 1e-3


def test_a_batch_without_anything_to_read_is_an_error():
    with pytest.raises(CalibrationError, match=r"needs input_ids, or one of .*pixel_values"):
        las.convert(FAMILIES["clip-vision"].build(), [{"labels": torch.zeros(1)}])


def test_an_adapter_belongs_to_one_way_of_reading_the_tower(tmp_path):
    las.save(converted("llava"), tmp_path)
    other = FAMILIES["llava"].build()
    other.config.vision_feature_layer = -1
    with pytest.raises(las.errors.AdapterError, match="belongs to"):
        las.load(other, tmp_path)

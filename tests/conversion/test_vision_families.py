"""What every family that sees owes its original."""

from __future__ import annotations

import copy
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
from tests.conversion.vision_families import FAMILIES, PATCH, clip

SEES = [name for name in FAMILIES if not name.startswith("clip-text")]
WRITES = [name for name, family in FAMILIES.items() if family.writes]
TOWERS = {"llava": "model.vision_tower", "qwen2-vl": "model.visual", "qwen2.5-vl": "model.visual"}
WAYS = [*((name, "spiking") for name in FAMILIES), *((name, "analog") for name in TOWERS)]


@cache
def converted(name: str, vision: Any = "spiking") -> Any:
    family = FAMILIES[name]
    return las.convert(family.build(), family.batches(), las.SpikeConfig(vision=vision))


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@torch.no_grad()
def errors(name: str, one: Any, other: Any, rows: int = 3, seed: int = 9) -> list[float]:
    """Relative errors of the outputs on an unseen batch, padding left out."""
    family = FAMILIES[name]
    (batch,) = family.batches(count=1, rows=rows, seed=seed)
    found = []
    for a, b in zip(family.read(one, batch), family.read(other, batch), strict=True):
        mask = batch.get("attention_mask")
        keep = slice(None) if mask is None or a.dim() < 3 else mask.bool()
        found.append(relative(a[keep], b[keep]))
    return found


@pytest.mark.parametrize(("name", "vision"), WAYS)
def test_outputs_stay_the_same(name, vision):
    found = errors(name, converted(name, vision), FAMILIES[name].build())
    assert all(0 < error < 1e-3 for error in found), found


@pytest.mark.parametrize("name", FAMILIES)
def test_simulator_and_fused_path_agree_spike_for_spike(name):
    model = copy.deepcopy(converted(name)).double()
    family = FAMILIES[name]
    (batch,) = family.batches(count=1, rows=2, seed=5)
    if "pixel_values" in batch:
        batch["pixel_values"] = batch["pixel_values"].double()
    with torch.no_grad():
        with las.count_spikes(model) as fused_spikes:
            fused = family.read(model, batch)
        with las.simulate(model), las.count_spikes(model) as simulated_spikes:
            simulated = family.read(model, batch)
    # the vision towers of Qwen turn their queries and keys in float32, whatever the precision
    tolerance = 1e-6 if name.startswith("qwen") else 1e-11
    assert all(relative(a, b) < tolerance for a, b in zip(fused, simulated, strict=True))
    counts = {name: site.spikes for name, site in fused_spikes.sites.items()}
    assert counts == {name: site.spikes for name, site in simulated_spikes.sites.items()}
    assert all(counts.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_no_operation_is_float(name):
    (batch,) = FAMILIES[name].batches(count=1, rows=2)
    report = las.audit(converted(name), batch)
    assert report.clean, str(report)
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


@pytest.mark.parametrize("name", WRITES)
def test_generation_with_a_cache_gives_the_tokens_of_a_full_forward_pass(name):
    model = converted(name)
    (prompt,) = FAMILIES[name].batches(count=1, rows=1, seed=4)
    length, new = prompt["input_ids"].shape[1], 8
    with torch.no_grad():
        tokens = model.generate(**prompt, max_new_tokens=new, do_sample=False, eos_token_id=None)
        assert tokens.shape == (1, length + new)
        whole = prompt | {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        if (kinds := prompt.get("mm_token_type_ids")) is not None:
            whole["mm_token_type_ids"] = torch.nn.functional.pad(kinds, (0, new))
        logits = model(**whole, use_cache=False).logits
    assert torch.equal(tokens[0, length:], logits[0, length - 1 : -1].argmax(-1))


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


def test_the_cosine_similarity_of_two_towers_is_refused():
    """Each tower converts, with its projection; what the model does with both is float."""
    from transformers import CLIPModel

    (images,) = FAMILIES["clip-vision"].batches(count=1)
    (texts,) = FAMILIES["clip-text"].batches(count=1)
    with pytest.raises(UnsupportedModelError, match=r"pow in .*div in .*mm in "):
        las.convert(clip(CLIPModel), [images | texts])


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
    assert max(relative(a, b) for a, b in zip(*read, strict=True)) < 1e-3


def test_a_batch_without_anything_to_read_is_an_error():
    with pytest.raises(CalibrationError, match="input_ids, inputs_embeds or pixel_values"):
        las.convert(FAMILIES["clip-vision"].build(), [{"labels": torch.zeros(1)}])


def test_an_adapter_belongs_to_one_way_of_reading_the_tower(tmp_path):
    las.save(converted("llava"), tmp_path)
    other = FAMILIES["llava"].build()
    other.config.vision_feature_layer = -1
    with pytest.raises(las.errors.AdapterError, match="belongs to"):
        las.load(other, tmp_path)

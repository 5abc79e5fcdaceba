"""Models whose weights accelerate keeps elsewhere: the same spikes, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import remove_hook_from_module
from torch import nn
from transformers import AutoModelForCausalLM

import las
from las.calibration import fingerprint
from las.conversion import is_spiking, read_adapter, twin
from las.conversion.registry import OF_USERS
from las.errors import CalibrationError, UnsupportedModelError
from tests import tiny_models
from tests.conversion.placing import CPU, WAYS, away, device_map

BATCHES = tiny_models.batches("llama", 2)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    las.save(las.convert(tiny_models.build("llama"), BATCHES), folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny_models.build("llama").save_pretrained(folder)
    return folder


@pytest.fixture
def offloaded(checkpoint: Path, tmp_path: Path) -> Any:
    """Read from its checkpoint layer by layer, each time it runs."""
    return AutoModelForCausalLM.from_pretrained(
        checkpoint,
        device_map=device_map(tiny_models.build("llama")),
        offload_folder=tmp_path / "offloaded",
    )


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(**BATCHES[0])[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "family", ["llama", "gpt2", "opt-350m", "gemma2", "roberta-classification"]
)
def test_conversion_gives_the_same_model_bit_for_bit(family: str, way: str, tmp_path: Path) -> None:
    """Thresholds, functions, fingerprint and logits; tied embeddings or not."""
    plain = las.convert(tiny_models.build(family), BATCHES)
    model = WAYS[way](tiny_models.build(family), tmp_path)
    before = set(away(model))
    assert before
    las.convert(model, BATCHES)
    assert torch.equal(logits(model), logits(plain))
    assert set(away(model)) == before
    for placed, there in zip(*(_states(m, tmp_path / way) for m in (model, plain)), strict=True):
        assert placed == there


def _states(model: nn.Module, folder: Path) -> tuple[object, ...]:
    las.save(model, folder)
    state = read_adapter(folder)
    data, arrays = replace(state, report=None).pack()  # a copy of placed attention is not run
    return data, {name: array.tolist() for name, array in arrays.items()}


@pytest.mark.parametrize("family", ["clip-vision", "siglip-vision", "qwen2-vl"])
def test_models_that_see_too(family: str, tmp_path: Path) -> None:
    """Convolutions, and attention that reads a joint weight beside its layers."""
    tiny = tiny_models.TINY_MODELS[family]
    batches = tiny.batches()
    plain = las.convert(tiny.build(), batches)
    model = las.convert(WAYS["disk"](tiny.build(), tmp_path), batches)
    with torch.no_grad():
        assert torch.equal(model(**batches[0])[0], plain(**batches[0])[0])


def test_encoders_with_decoders_too(tmp_path: Path) -> None:
    batches = tiny_models.batches("t5")
    plain = las.convert(tiny_models.build("t5"), batches)
    model = las.convert(WAYS["disk"](tiny_models.build("t5"), tmp_path), batches)
    with torch.no_grad():
        assert torch.equal(model(**batches[0])[0], plain(**batches[0])[0])


def test_an_adapter_fits_a_base_that_is_read_from_disk(offloaded: Any, adapter: Path) -> None:
    plain = las.load(tiny_models.build("llama"), adapter)
    model = las.load(offloaded, adapter)
    assert any(away(model))
    assert torch.equal(logits(model), logits(plain))
    with las.simulate(model), las.simulate(plain):
        assert torch.equal(logits(model), logits(plain))
    with las.count_spikes(model) as spikes:
        logits(model)
    with las.count_spikes(plain) as expected:
        logits(plain)
    assert spikes == expected
    assert las.audit(model).rows == las.audit(plain).rows
    ids = BATCHES[0]["input_ids"][:2]
    longer = [m.generate(ids, max_new_tokens=6, do_sample=False) for m in (model, plain)]
    assert torch.equal(*longer)


def test_a_checkpoint_is_written_from_disk_and_read_to_it(
    offloaded: Any, adapter: Path, tmp_path: Path
) -> None:
    expected = logits(las.load(tiny_models.build("llama"), adapter))
    las.load(offloaded, adapter).save_pretrained(tmp_path / "full")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "full")
    assert not any(away(whole))
    assert torch.equal(logits(whole), expected)
    again = AutoModelForCausalLM.from_pretrained(
        tmp_path / "full",
        device_map=device_map(tiny_models.build("llama")),
        offload_folder=tmp_path / "again",
    )
    assert is_spiking(again) and any(away(again))
    assert torch.equal(logits(again), expected)


def test_a_failed_conversion_leaves_the_hooks_where_they_were(offloaded: Any) -> None:
    before = logits(offloaded)
    with pytest.raises(CalibrationError):
        las.convert(offloaded, [])
    assert not is_spiking(offloaded) and any(away(offloaded))
    assert torch.equal(logits(offloaded), before)


def test_a_fingerprint_reads_weights_from_where_they_are(offloaded: Any) -> None:
    assert fingerprint(offloaded) == fingerprint(tiny_models.build("llama"))


def test_an_equivalent_without_the_same_weights_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Renamed(nn.Module):
        def __init__(self, linear: nn.Linear) -> None:
            super().__init__()
            self.matrix = linear.weight

    monkeypatch.setitem(OF_USERS, "Linear", Renamed)
    model = cpu_offload(tiny_models.build("bert-mlm"), execution_device=CPU)
    before = logits(model)
    with pytest.raises(UnsupportedModelError, match="before it is dispatched"):
        las.convert(model, BATCHES)
    assert torch.equal(logits(model), before)


def test_weights_without_values_are_refused() -> None:
    model = cpu_offload(tiny_models.build("llama"), execution_device=CPU)
    for module in model.modules():
        module.__dict__.pop("_hf_hook", None)
        remove_hook_from_module(module)
    with pytest.raises(UnsupportedModelError, match="on the meta device"):
        las.convert(model, BATCHES)


@pytest.mark.parametrize("way", [None, *WAYS])
def test_a_twin_spikes_beside_the_original_on_the_same_weights(
    way: str | None, adapter: Path, tmp_path: Path
) -> None:
    ann = tiny_models.build("llama")
    expected = logits(ann), logits(las.load(tiny_models.build("llama"), adapter))
    if way is not None:
        ann = WAYS[way](ann, tmp_path)
    snn = las.load(twin(ann), adapter)
    assert is_spiking(snn) and not is_spiking(ann)
    for _ in range(2):
        assert torch.equal(logits(ann), expected[0])
        assert torch.equal(logits(snn), expected[1])
    spiking = dict(snn.named_parameters())
    for name, parameter in ann.named_parameters():
        assert parameter is spiking[name] or (parameter.is_meta and spiking[name].is_meta)

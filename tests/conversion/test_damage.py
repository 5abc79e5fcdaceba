"""Flipped bits and cut files: refused with an error of las, or read as what was written."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

import las
from las.calibration.sample import load_sample, one_row, save_sample
from las.calibration.statistics import Statistics
from las.conversion.adapter import FILE, read_adapter
from las.conversion.checkpoint import SpikingModelConfig
from las.conversion.convert import calibrate
from las.errors import AdapterError, LasError
from las.hosts.twin import twin
from tests.tiny_models import plain

FLIPS = 125
CUTS = 50

Read = Callable[[Path], Any]


def statistics(path: Path) -> Any:
    found = Statistics.load(path)
    sites = {
        name: {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in vars(site).items()
        }
        for name, site in found.sites.items()
    }
    return {**vars(found), "sites": sites}


def adapter(path: Path) -> Any:
    data, arrays = read_adapter(path.parent).pack()
    return data, {name: array.tolist() for name, array in arrays.items()}


def sample(path: Path) -> Any:
    return {name: (x.dtype, x.tolist()) for name, x in load_sample(path).items()}


def state(path: Path) -> Any:
    """The spiking state of a whole checkpoint, as transformers hands it over."""
    try:
        section = json.loads(path.read_text())
        data, arrays = SpikingModelConfig.from_dict(section).state.pack()
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LasError("transformers refuses what is no JSON") from error
    return data, {name: array.tolist() for name, array in arrays.items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Read]]:
    """A file of each kind, and how it is read."""
    folder = tmp_path_factory.mktemp("written")
    model = plain.make(LlamaForCausalLM, num_hidden_layers=1)
    ids = torch.randint(3, 8, (2, 40), generator=torch.Generator().manual_seed(0))
    batches = [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}]
    calibrate(twin(model), batches)[0].save(folder / "statistics.safetensors")
    save_sample(one_row(batches[0]), folder / "sample.safetensors")
    las.convert(model, batches)
    las.save(model, folder)
    model.save_pretrained(folder / "full")
    section = json.loads((folder / "full" / "config.json").read_text())["quantization_config"]
    (folder / "state.json").write_text(json.dumps(section, indent=2))
    return {
        "statistics": (folder / "statistics.safetensors", statistics),
        "sample": (folder / "sample.safetensors", sample),
        "adapter": (folder / FILE, adapter),
        "state": (folder / "state.json", state),
    }


@pytest.mark.parametrize("kind", ["statistics", "sample", "adapter", "state"])
def test_damage_is_refused_or_harmless(written, kind):
    path, read = written[kind]
    whole, content = path.read_bytes(), read(path)
    generator = random.Random(kind)
    damaged = [whole[: generator.randrange(len(whole))] for _ in range(CUTS)]
    for number in range(FLIPS):
        # every second one where the names and numbers are, not in the arrays
        place = generator.randrange(len(whole) if number % 2 else min(len(whole), 4096))
        flipped = bytearray(whole)
        flipped[place] ^= 1 << generator.randrange(8)
        damaged.append(bytes(flipped))
    refused = 0
    try:
        for one in damaged:
            path.write_bytes(one)
            try:
                found = read(path)
            except LasError:
                refused += 1
            else:
                assert found == content
    finally:
        path.write_bytes(whole)
    assert refused > len(damaged) * 0.9


def test_a_changed_state_is_refused_by_from_pretrained(written, tmp_path):
    folder = tmp_path / "full"
    shutil.copytree(written["state"][0].parent / "full", folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"]["data"]["config"]["levels"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterError, match="damaged"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_flipped_bit_in_the_weights_is_refused(written, tmp_path):
    """Among the values, and among the names: transformers would put random weights there."""
    folder = tmp_path / "full"
    shutil.copytree(written["state"][0].parent / "full", folder)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    name = whole.index(b'"model.layers.0.mlp', whole.index(b'"dtype"'))
    generator = random.Random(0)
    for place in (name + 3, *(generator.randrange(8 + size, len(whole)) for _ in range(8))):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        weights.write_bytes(flipped)
        with pytest.raises(AdapterError, match="damaged"):
            AutoModelForCausalLM.from_pretrained(folder)
    weights.write_bytes(whole)
    AutoModelForCausalLM.from_pretrained(folder)


def test_weights_of_another_state_are_refused(written, tmp_path):
    """As where a process is killed while it saves over an older model."""
    folder = tmp_path / "full"
    shutil.copytree(written["state"][0].parent / "full", folder)
    model = plain.make(LlamaForCausalLM, num_hidden_layers=1, seed=1)
    ids = torch.arange(3, 43)[None]
    las.convert(model, [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}])
    model.save_pretrained(tmp_path / "other")
    shutil.copyfile(tmp_path / "other" / "config.json", folder / "config.json")
    with pytest.raises(AdapterError, match="saved with another spiking state"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_shards_of_two_models_are_refused(tmp_path):
    """As where a process is killed between them, and the spiking state has not changed."""
    model = plain.make(LlamaForCausalLM, num_hidden_layers=1)
    ids = torch.arange(3, 43)[None]
    las.convert(model, [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}])
    model.save_pretrained(tmp_path / "old", max_shard_size="8KB")
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    model.save_pretrained(tmp_path / "new", max_shard_size="8KB")
    first, *others = sorted((tmp_path / "new").glob("*.safetensors"))
    assert others
    shutil.copyfile(first, tmp_path / "old" / first.name)
    with pytest.raises(AdapterError, match="saved with another model"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "old")


def test_cut_weights_are_refused(written, tmp_path):
    folder = tmp_path / "full"
    shutil.copytree(written["state"][0].parent / "full", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(AdapterError, match="damaged"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_files_of_before_there_were_checksums_are_read(written, tmp_path):
    from safetensors.numpy import load_file, save_file

    path, read = written["adapter"]
    data, arrays = read_adapter(path.parent).pack()
    metadata = {"format": "las-adapter-1", "header": json.dumps(data)}
    save_file(arrays, tmp_path / FILE, metadata)
    assert read(tmp_path / FILE) == read(path)

    path, read = written["sample"]
    save_file(load_file(path), tmp_path / "sample")
    assert read(tmp_path / "sample") == read(path)

    path, read = written["state"]
    section = json.loads(path.read_text())
    del section["sha256"]
    (tmp_path / "state").write_text(json.dumps(section))
    assert read(tmp_path / "state") == read(path)

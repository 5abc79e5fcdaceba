"""`kill -9` in the middle of saving: an adapter is the old or the new one, a model never half."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import tqdm.auto
import tqdm.std
from transformers import AutoModelForCausalLM, LlamaForCausalLM

import las
from las.conversion.adapter import FILE, read_adapter
from las.conversion.checkpoint import converted_in
from las.errors import AdapterError
from tests.tiny_models import plain

KILLS = 15
IDS = torch.arange(3, 43)[None]


@pytest.fixture(scope="module")
def two() -> list[Any]:
    """Two spiking models of the same shape."""
    models = [plain.make(LlamaForCausalLM, num_hidden_layers=1, seed=seed) for seed in range(2)]
    for model in models:
        las.convert(model, [{"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}])
    return models


def killed(write: Callable[[Any], object], models: list[Any]) -> Iterator[None]:
    """Write the models by turns in other processes that are killed; after each, come back."""

    def for_ever() -> None:
        for kind in (tqdm.std.tqdm, tqdm.auto.tqdm):
            kind.set_lock(threading.RLock())  # the usual one is shared: who is killed would keep it
        while True:
            for model in models:
                write(model)

    generator = random.Random(0)
    for _ in range(KILLS):
        process = multiprocessing.get_context("fork").Process(target=for_ever)
        process.start()
        time.sleep(generator.uniform(0.01, 0.1))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        yield


def test_an_adapter_is_the_old_or_the_new_one(two, tmp_path):
    las.save(two[0], tmp_path)
    bases = set()
    for _ in killed(lambda model: las.save(model, tmp_path), two):
        bases.add(read_adapter(tmp_path).base)
    assert bases <= {converted_in(model)[1].base for model in two}
    las.save(two[0], tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_model_is_whole_or_refused(two, tmp_path):
    """Transformers writes several files: a mixture of old and new ones is refused."""
    with torch.no_grad():
        logits = [model(IDS).logits for model in two]
    two[0].save_pretrained(tmp_path)
    whole = 0
    for _ in killed(lambda model: model.save_pretrained(tmp_path), two):
        try:
            found = AutoModelForCausalLM.from_pretrained(Path(tmp_path))
        except (AdapterError, OSError, ValueError):
            continue
        with torch.no_grad():
            again = found(IDS).logits
        assert any(torch.equal(again, one) for one in logits)
        whole += 1
    assert whole > 0

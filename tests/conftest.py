"""Small models that behave like large ones: grouped queries, padding, massive activations."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from PIL import Image, ImageDraw
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import BertModel, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.tiny_models import plain
from tests.tiny_models.results import Results, update

settings.register_profile("fuzz")  # see tests/conversion/test_fuzz.py

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = 64

_FOUND: Results = {}


def pytest_runtest_logreport(report: Any) -> None:
    """Keep what the checks of all architectures found, for the list of families.

    It stands here and not beside the checks: where tests run side by side, the process that gathers
    their reports reads no other conftest.
    """
    file, _, test = report.nodeid.rpartition("::")
    if not file.endswith("test_any_architecture.py") or not test.endswith("]"):
        return
    check, _, name = test[:-1].partition("[")
    checks = _FOUND.setdefault(name, {})
    checks[check] = checks.get(check, True) and report.passed
    if report.when == "call":
        checks |= dict(report.user_properties)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _FOUND and not hasattr(session.config, "workerinput"):  # of pytest-xdist
        update(_FOUND)
        _FOUND.clear()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Threads that wait for a busy machine's other cores take longer than they save."""
    torch.set_num_threads(1)


@pytest.fixture
def llama() -> LlamaForCausalLM:
    """Two layers, grouped queries; token 1 starts texts and is massive."""
    return plain.massive_llama(VOCABULARY)


@pytest.fixture
def bert() -> BertModel:
    """Two layers; one channel of every LayerNorm's output is large."""
    return plain.massive_bert(VOCABULARY)


@pytest.fixture
def make_batches() -> Callable[..., list[dict[str, Tensor]]]:
    """Batches of random token ids that begin with token 1, right-padded where told."""

    def make(
        count: int = 2, rows: int = 2, length: int = 24, padding: int = 0, seed: int = 1
    ) -> list[dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(seed)
        batches = []
        for _ in range(count):
            ids = torch.randint(3, VOCABULARY, (rows, length), generator=generator)
            ids[:, 0] = 1
            mask = torch.ones_like(ids)
            if padding:
                mask[-1, -padding:] = 0
                ids[-1, -padding:] = 0
            batches.append({"input_ids": ids, "attention_mask": mask})
        return batches

    return make


@pytest.fixture(scope="session")
def fetched() -> Callable[..., Path]:
    """The directory of a real model or data set, fetched by the pipeline where it is missing."""

    def fetch(kind: str, name: str) -> Path:
        directory = ROOT / "data" / ("models" if kind == "model" else "assets") / name
        if not directory.exists():
            choice = f"model={name}" if kind == "model" else f"+dataset={name}"
            command = [sys.executable, "-m", "pipeline.fetch", f"only={kind}", choice]
            subprocess.run(command, cwd=ROOT, check=True)
        return directory

    return fetch


@pytest.fixture(scope="session")
def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: i for i, symbol in enumerate(["<pad>", "<s>", *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="<s>"
    )


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A set laid out as easy-VQA: 24 pictures of 16 x 16 to train on and 8 to test on."""
    directory = tmp_path / "shapes"
    for split, first, last in (("train", 0, 24), ("test", 24, 32)):
        (directory / split / "images").mkdir(parents=True)
        questions: list[list[str | int]] = []
        for number in range(first, last):
            colour, shape = ("red", "blue")[number % 2], ("circle", "rectangle")[number // 2 % 2]
            image = Image.new("RGB", (16, 16), (240, 240, 230 + number % 3))
            box = (1 + number % 4, 2, 12, 10 + number % 5)
            draw = ImageDraw.Draw(image)
            {"circle": draw.ellipse, "rectangle": draw.rectangle}[shape](box, fill=colour)
            image.save(directory / split / "images" / f"{number}.png")
            questions += [
                ["what color is the shape?", colour, number],
                [f"what is the {colour} shape?", shape, number],
                ["is there a circle?", "yes" if shape == "circle" else "no", number],
            ]
        (directory / split / "questions.json").write_text(json.dumps(questions))
    return directory

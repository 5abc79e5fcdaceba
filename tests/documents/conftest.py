"""A tiny model and a text, which stand for those that the documents name."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tests.tiny_models import plain

TEXT = "The first paragraph.\n\nThe second one.\n\n\n\nA third.\n\n"


@pytest.fixture(scope="session")
def tiny_model(
    byte_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The directory of a Llama of two layers with its tokenizer."""
    model = plain.make(
        LlamaForCausalLM,
        vocab_size=len(byte_tokenizer),
        num_key_value_heads=1,
        max_position_embeddings=2048,
        initializer_range=0.02,
    )
    directory = tmp_path_factory.mktemp("tiny") / "model"
    model.save_pretrained(directory)
    byte_tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to work in, with a text."""
    (tmp_path / "my.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def own_registrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a document registers is forgotten after it."""
    from las.conversion import registry

    monkeypatch.setattr(registry, "OF_USERS", dict(registry.OF_USERS))

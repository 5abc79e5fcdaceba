"""Tiny models and a text for the commands to work on."""

from __future__ import annotations

import pytest
from transformers import (
    BertModel,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from las.cli import main
from tests.tiny_models import plain

TEXT = "".join(f"Line {i} of a text that says little.\n\n" for i in range(60))


@pytest.fixture(scope="session")
def files(
    tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: PreTrainedTokenizerFast
) -> dict[str, str]:
    """A tiny language model, tiny encoders, a text, adapters, and a model that translates."""
    root = tmp_path_factory.mktemp("cli")
    tokenizer = byte_tokenizer
    size = len(byte_tokenizer)
    short = dict(vocab_size=size, max_position_embeddings=64)
    t5 = dict(vocab_size=size, initializer_factor=1.0)
    made = {
        "llama": plain.make(LlamaForCausalLM, num_key_value_heads=1, **short),
        "bert": plain.make(BertModel, **short),
        "encoder": plain.make(T5EncoderModel, **t5),
        "t5": plain.make(T5ForConditionalGeneration, **t5),
    }
    for name, model in made.items():
        model.save_pretrained(root / name)
    converted = ("llama", "bert", "encoder")
    names = {name: str(root / name) for name in (*converted, "t5", "text")}
    names |= {f"{name}-las": f"{names[name]}-las" for name in converted}
    (root / "text").write_text(TEXT)
    tokenizer.save_pretrained(root / "t5")
    for name in converted:
        tokenizer.save_pretrained(root / name)
        arguments = ["convert", names[name], names["text"], "--out", names[f"{name}-las"]]
        assert main([*arguments, "--windows", "4"]) == 0
    return names

"""Tiny models and a text for the commands to work on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from las.cli import main

TEXT = "".join(f"Line {i} of a text that says little.\n\n" for i in range(60))


@pytest.fixture(scope="session")
def files(
    tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: PreTrainedTokenizerFast
) -> dict[str, str]:
    """A tiny language model, tiny encoders, a text, adapters, and a model that translates."""
    root = tmp_path_factory.mktemp("cli")
    tokenizer = byte_tokenizer
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": 0.5,
    }
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=1)).save_pretrained(root / "llama")
    BertModel(BertConfig(**sizes)).save_pretrained(root / "bert")
    t5 = dict(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    T5EncoderModel(T5Config(**t5)).save_pretrained(root / "encoder")
    T5ForConditionalGeneration(T5Config(**t5)).save_pretrained(root / "t5")
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

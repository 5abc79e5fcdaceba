"""The README's Python runs as written, on a model and a text of our own."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

README = Path(__file__).parents[1] / "README.md"


def test_the_snippets_run(byte_tokenizer, tmp_path, monkeypatch, capsys):
    tokenizer = byte_tokenizer
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "my.txt").write_text("The first paragraph.\n\nThe second one.\n\n\n\nA third.\n\n")
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)
    assert len(snippets) == 2
    code = "\n".join(snippets).replace("HuggingFaceTB/SmolLM2-135M-Instruct", "model")
    names: dict[str, object] = {}
    exec(code, names)
    assert "residual addition" in capsys.readouterr().out
    assert (tmp_path / "adapter").is_dir()

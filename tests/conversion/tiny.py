from __future__ import annotations

import torch
from torch import Tensor
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

VOCABULARY = 99


def llama(layers: int = 2, **options: object) -> LlamaForCausalLM:
    """Grouped-query attention: four heads, two of them with keys and values."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.5,
        **options,
    )
    return LlamaForCausalLM(config).eval()


def bert() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,
    )
    return BertModel(config).eval()


def batches(count: int = 2) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    result = []
    for _ in range(count):
        mask = torch.ones(2, 24, dtype=torch.int64)
        mask[1, 20:] = 0
        ids = torch.randint(VOCABULARY, (2, 24), generator=generator)
        result.append({"input_ids": ids, "attention_mask": mask})
    return result

"""Tiny models as their configs make them, for tests that ask nothing of their activations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY = 99

_SIZES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    initializer_range=0.5,
)


def llama(layers: int = 2, **options: Any) -> LlamaForCausalLM:
    """Grouped-query attention: four heads, two of them with keys and values."""
    grouped = dict(num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
    torch.manual_seed(0)
    config = LlamaConfig(**_SIZES | grouped | dict(num_hidden_layers=layers) | options)
    return LlamaForCausalLM(config).eval()


def bert() -> BertModel:
    torch.manual_seed(0)
    return BertModel(BertConfig(**_SIZES)).eval()


def batches(count: int = 2) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    result = []
    for _ in range(count):
        mask = torch.ones(2, 24, dtype=torch.int64)
        mask[1, 20:] = 0
        ids = torch.randint(VOCABULARY, (2, 24), generator=generator)
        result.append({"input_ids": ids, "attention_mask": mask})
    return result


def tiny_llama(tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> LlamaForCausalLM:
    """For a tokenizer's vocabulary, as the others below."""
    torch.manual_seed(seed)
    options = dict(vocab_size=len(tokenizer), num_key_value_heads=1, max_position_embeddings=256)
    return LlamaForCausalLM(LlamaConfig(**_SIZES | options)).eval()


def tiny_bert(tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> BertModel:
    torch.manual_seed(seed)
    return BertModel(BertConfig(**_SIZES | dict(vocab_size=len(tokenizer)))).eval()


def tiny_classifier(
    tokenizer: PreTrainedTokenizerFast, classes: int
) -> BertForSequenceClassification:
    torch.manual_seed(0)
    options = dict(
        vocab_size=len(tokenizer), num_labels=classes, pad_token_id=tokenizer.pad_token_id
    )
    return BertForSequenceClassification(BertConfig(**_SIZES | options)).eval()


def tiny_t5(tokenizer: PreTrainedTokenizerFast) -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        initializer_factor=2.0,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    return T5ForConditionalGeneration(config).eval()

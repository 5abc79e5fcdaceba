"""Tiny models as their configs make them, for tests that ask nothing of their family."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import (
    BertForSequenceClassification,
    BertModel,
    LlamaForCausalLM,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY = 99
MASSIVE = 300.0  # of one channel of one token's embedding, beside neighbours of about 1

Config = TypeVar("Config", bound=PreTrainedConfig)
Model = TypeVar("Model", bound=PreTrainedModel)

_SIZES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    initializer_range=0.5,
)
_OF_THEIR_OWN: dict[type[PreTrainedConfig], dict[str, Any]] = {
    OPTConfig: dict(ffn_dim=32, word_embed_proj_dim=16),
    T5Config: dict(d_kv=8, d_ff=32, initializer_factor=2.0),
}
"""Sizes that a family's config knows under no common name."""


def config(kind: type[Config], **options: Any) -> Config:
    """A config of two narrow layers; options go before the sizes that all have in common."""
    return kind(**_SIZES | _OF_THEIR_OWN.get(kind, {}) | options)


def make(kind: type[Model], seed: int = 0, **options: Any) -> Model:
    """A model of two narrow layers with random weights."""
    made = config(kind.config_class, **options)
    torch.manual_seed(seed)
    return kind(made).eval()


def llama(layers: int = 2, **options: Any) -> LlamaForCausalLM:
    """Grouped-query attention: four heads, two of them with keys and values."""
    grouped = dict(num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
    return make(LlamaForCausalLM, **grouped | dict(num_hidden_layers=layers) | options)


def bert() -> BertModel:
    return make(BertModel)


def massive_llama(vocabulary: int) -> LlamaForCausalLM:
    """Four query heads on two key heads; token 1 starts texts and is massive."""
    model = make(
        LlamaForCausalLM,
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.no_grad():
        model.get_input_embeddings().weight[1, 7] = MASSIVE
    return model


def massive_bert(vocabulary: int) -> BertModel:
    """Four heads; one channel of every LayerNorm's output is large."""
    model = make(
        BertModel,
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=48,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
        pad_token_id=0,
    )
    with torch.no_grad():
        for layer in model.encoder.layer:
            layer.output.LayerNorm.weight[5] = 40.0
    return model


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
    return make(
        LlamaForCausalLM,
        seed,
        vocab_size=len(tokenizer),
        num_key_value_heads=1,
        max_position_embeddings=256,
    )


def tiny_bert(tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> BertModel:
    return make(BertModel, seed, vocab_size=len(tokenizer))


def tiny_classifier(
    tokenizer: PreTrainedTokenizerFast, classes: int
) -> BertForSequenceClassification:
    return make(
        BertForSequenceClassification,
        vocab_size=len(tokenizer),
        num_labels=classes,
        pad_token_id=tokenizer.pad_token_id,
    )


def tiny_t5(tokenizer: PreTrainedTokenizerFast) -> T5ForConditionalGeneration:
    return make(
        T5ForConditionalGeneration,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )

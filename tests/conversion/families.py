"""Tiny models of every text family: random in every parameter, with planted massive activations.

A new family is one entry of `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
)

VOCABULARY = 64
SPREAD = 0.3
MASSIVE_TOKEN = 1
MASSIVE = 1000  # one channel of its embedding, in standard deviations of all the others
WINDOW = 6  # of sliding attention, shorter than the test sequences

Builder = Callable[[], nn.Module]

_SIZES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
    initializer_range=SPREAD,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
_GROUPED = _SIZES | dict(num_key_value_heads=2)
_OPT = {k: v for k, v in _SIZES.items() if k not in ("intermediate_size", "initializer_range")}
_OPT |= dict(ffn_dim=48)
_DISTILBERT = dict(
    vocab_size=VOCABULARY,
    dim=32,
    hidden_dim=48,
    n_layers=2,
    n_heads=4,
    max_position_embeddings=64,
    initializer_range=SPREAD,
    pad_token_id=0,
)
_GEMMA = _GROUPED | dict(
    head_dim=8,
    query_pre_attn_scalar=8,
    sliding_window=WINDOW,
    layer_types=["sliding_attention", "full_attention"],
    final_logit_softcapping=30.0,
)


def _gpt2() -> nn.Module:
    sizes = {k: v for k, v in _SIZES.items() if k != "intermediate_size"}
    return GPT2LMHeadModel(GPT2Config(**sizes, n_inner=48))


def _opt(spread: float = SPREAD, **options: Any) -> Builder:
    return lambda: OPTForCausalLM(OPTConfig(**_OPT, init_std=spread, **options))


_opt_350m = _opt(SPREAD / 2, do_layer_norm_before=False, word_embed_proj_dim=16)
"""Its first attention reads embeddings that no norm has tamed: scores go with the spread^6."""


DECODERS: dict[str, Builder] = {
    "gpt2": _gpt2,
    "opt": _opt(),
    "opt-350m": _opt_350m,
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**_GROUPED)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**_GROUPED, sliding_window=WINDOW)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**_GROUPED)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**_GROUPED, head_dim=8)),
    "phi3": lambda: Phi3ForCausalLM(Phi3Config(**_GROUPED)),
    "gpt-neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**_SIZES, rotary_pct=0.25)),
    "gpt-neox-serial": lambda: GPTNeoXForCausalLM(
        GPTNeoXConfig(**_SIZES, rotary_pct=0.5, use_parallel_residual=False)
    ),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**_GEMMA, attn_logit_softcapping=20.0)),
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**_GEMMA)),
}

ENCODERS: dict[str, Builder] = {
    "bert-mlm": lambda: BertForMaskedLM(BertConfig(**_SIZES)),
    "bert-classification": lambda: BertForSequenceClassification(
        BertConfig(**_SIZES, num_labels=3)
    ),
    "bert-regression": lambda: BertForSequenceClassification(BertConfig(**_SIZES, num_labels=1)),
    "roberta-mlm": lambda: RobertaForMaskedLM(RobertaConfig(**_SIZES)),
    "roberta-classification": lambda: RobertaForSequenceClassification(
        RobertaConfig(**_SIZES, num_labels=3)
    ),
    "distilbert-mlm": lambda: DistilBertForMaskedLM(DistilBertConfig(**_DISTILBERT)),
    "distilbert-classification": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(**_DISTILBERT, num_labels=3)
    ),
}

FAMILIES = DECODERS | ENCODERS


def build(family: str) -> Any:
    """A tiny model of a family: no parameter is left at a constant, one token is massive."""
    torch.manual_seed(0)
    model = FAMILIES[family]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # biases and gammas
                parameter += 0.2 * torch.randn_like(parameter)
        embeddings: Any = model.get_input_embeddings()
        embeddings.weight[MASSIVE_TOKEN, 7] = MASSIVE * embeddings.weight.std()
    return model


def batches(
    count: int = 4, rows: int = 4, length: int = 24, padding: int = 5, seed: int = 1
) -> list[dict[str, Tensor]]:
    """Random token ids that begin with the massive token; the last row is right-padded."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        ids = torch.randint(3, VOCABULARY, (rows, length), generator=generator)
        ids[:, 0] = MASSIVE_TOKEN
        mask = torch.ones_like(ids)
        if padding:
            mask[-1, -padding:] = 0
            ids[-1, -padding:] = 0
        made.append({"input_ids": ids, "attention_mask": mask})
    return made

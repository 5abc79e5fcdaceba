"""Tiny models of an encoder and a decoder, and encoders that are half of one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.tiny_models.batches import ended_texts, texts_and_written
from tests.tiny_models.tiny_model import (
    END,
    HIDDEN,
    PAD,
    SPREAD,
    START,
    VOCABULARY,
    TinyModel,
    index,
    jitter,
    redraw,
)

_T5: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    d_model=HIDDEN,
    d_kv=8,
    d_ff=48,
    num_layers=2,
    num_heads=4,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=12,
    initializer_factor=1.3,  # an error grows on its way as in the other families' tiny models
    pad_token_id=PAD,
    eos_token_id=END,
    decoder_start_token_id=PAD,
)
_GATED = _T5 | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
_BART: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    d_model=HIDDEN,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=48,
    decoder_ffn_dim=48,
    max_position_embeddings=64,
    init_std=SPREAD,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=END,
    decoder_start_token_id=PAD,
    forced_eos_token_id=None,
)
_STATES = ("last_hidden_state",)


def _head_of_its_own(model: Any) -> None:
    model.lm_head.weight = nn.Parameter(torch.randn_like(model.lm_head.weight))
    jitter(model)


def _softer(model: Any) -> None:
    """Half the spread: Marian's scaled embeddings go into attention as they are.

    With the whole of it the scores of a massive token are so large that rounding decides.
    """
    redraw(model)
    for parameter in model.parameters():
        if parameter.dim() > 1 and parameter.requires_grad:
            parameter *= 0.5


def _t5(name: str, kind: str, options: Any, weights: Any = jitter) -> TinyModel:
    family = {"m": "mT5", "u": "UMT5"}.get(name[0], "T5")
    return TinyModel(
        name, family, kind, options, texts_and_written, weights=weights, generates=True
    )


def _half(name: str, kind: str, options: Any = _T5, outputs: Any = ("logits",)) -> TinyModel:
    family = "UMT5" if name.startswith("u") else "T5"
    return TinyModel(name, family, kind, options, ended_texts, outputs, weights=jitter)


def _bart(name: str, family: str, kind: str, **options: Any) -> TinyModel:
    return TinyModel(name, family, kind, _BART | options, texts_and_written, generates=True)


WRITERS = index(
    _t5("t5", "T5ForConditionalGeneration", _T5 | dict(num_layers=3, num_decoder_layers=2)),
    _t5("flan-t5", "T5ForConditionalGeneration", _GATED, _head_of_its_own),
    _t5("mt5", "MT5ForConditionalGeneration", _GATED),
    _t5("umt5", "UMT5ForConditionalGeneration", _GATED),
    _bart("bart", "BART", "BartForConditionalGeneration"),
    _bart("blenderbot", "Blenderbot", "BlenderbotForConditionalGeneration"),
    _bart("blenderbot-small", "Blenderbot", "BlenderbotSmallForConditionalGeneration"),
    _bart("m2m100", "M2M-100", "M2M100ForConditionalGeneration"),
    TinyModel(
        "marian",
        "Marian",
        "MarianMTModel",
        _BART | dict(decoder_vocab_size=VOCABULARY, scale_embedding=True),
        texts_and_written,
        weights=_softer,
        generates=True,
    ),
    _bart("mbart", "mBART", "MBartForConditionalGeneration", scale_embedding=True),
    _bart("pegasus", "Pegasus", "PegasusForConditionalGeneration", scale_embedding=True),
    _bart("plbart", "PLBart", "PLBartForConditionalGeneration"),
)

READERS = index(
    _half("t5-classification", "T5ForSequenceClassification", _T5 | dict(num_labels=3)),
    _half("t5-questions", "T5ForQuestionAnswering", outputs=("start_logits", "end_logits")),
    TinyModel(
        "bart-classification",
        "BART",
        "BartForSequenceClassification",
        _BART | dict(num_labels=3),
        ended_texts,
    ),
    TinyModel(
        "bart-questions",
        "BART",
        "BartForQuestionAnswering",
        _BART,
        ended_texts,
        ("start_logits", "end_logits"),
    ),
)
"""Heads whose decoder reads what the encoder reads."""

ENCODERS = index(
    _half("t5-encoder", "T5EncoderModel", outputs=_STATES),
    _half("t5-tokens", "T5ForTokenClassification", _T5 | dict(num_labels=3)),
    _half("umt5-encoder", "UMT5EncoderModel", _GATED, _STATES),
)

MODELS = WRITERS | READERS | ENCODERS

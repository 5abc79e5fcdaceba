"""Tiny encoder-decoder models: random in every parameter, with planted massive activations.

A new family is one entry of `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    MT5Config,
    MT5ForConditionalGeneration,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    T5ForQuestionAnswering,
    T5ForSequenceClassification,
    T5ForTokenClassification,
    UMT5Config,
    UMT5EncoderModel,
    UMT5ForConditionalGeneration,
)

VOCABULARY = 64
PAD, MASSIVE_TOKEN, END, FIRST_WORD = 0, 1, 2, 3
MASSIVE = 1000  # one channel of its embedding, in standard deviations of all the others
CHANNEL = 7

_SIZES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    d_model=32,
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
_GATED = _SIZES | dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False)


def _flan() -> Any:
    """T5 v1.1: gated, with a head of its own."""
    model = T5ForConditionalGeneration(T5Config(**_GATED))
    model.lm_head.weight = nn.Parameter(torch.randn_like(model.lm_head.weight))
    return model


def _t5(kind: Any, **options: Any) -> Callable[[], Any]:
    return lambda: kind(T5Config(**_SIZES | options))


WRITERS: dict[str, Callable[[], Any]] = {
    "t5": _t5(T5ForConditionalGeneration, num_layers=3, num_decoder_layers=2),
    "flan-t5": _flan,
    "mt5": lambda: MT5ForConditionalGeneration(MT5Config(**_GATED)),
    "umt5": lambda: UMT5ForConditionalGeneration(UMT5Config(**_GATED)),
}

READERS: dict[str, Callable[[], Any]] = {
    "t5-classification": _t5(T5ForSequenceClassification, num_labels=3),
    "t5-questions": _t5(T5ForQuestionAnswering),
}
"""Heads whose decoder reads what the encoder reads."""

ENCODERS: dict[str, Callable[[], Any]] = {
    "t5-encoder": _t5(T5EncoderModel),
    "t5-tokens": _t5(T5ForTokenClassification, num_labels=3),
    "umt5-encoder": lambda: UMT5EncoderModel(UMT5Config(**_GATED)),
}

FAMILIES = WRITERS | READERS | ENCODERS


def build(family: str) -> Any:
    """A tiny model of a family: no parameter is left at a constant, one token is massive."""
    torch.manual_seed(0)
    model = FAMILIES[family]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # gammas
                parameter += 0.2 * torch.randn_like(parameter)
        weight = model.get_input_embeddings().weight
        weight[MASSIVE_TOKEN, CHANNEL] = MASSIVE * weight.std()
    return model


def batches(
    family: str,
    count: int = 4,
    rows: int = 4,
    length: int = 24,
    written: int = 13,
    padding: int = 5,
    seed: int = 1,
) -> list[dict[str, Tensor]]:
    """Random token ids with the massive one; the last row is padded, differently in both stacks.

    Texts end with the token from which a classification is read.
    """
    generator = torch.Generator().manual_seed(seed)

    def texts(length: int, padding: int) -> tuple[Tensor, Tensor]:
        ids = torch.randint(FIRST_WORD, VOCABULARY, (rows, length), generator=generator)
        ids[:, 1] = MASSIVE_TOKEN
        ids[:, -1] = END
        mask = torch.ones_like(ids)
        if padding:
            mask[-1, -padding:] = 0
            ids[-1, -padding:] = PAD
            ids[-1, -padding - 1] = END
        return ids, mask

    made = []
    for _ in range(count):
        ids, mask = texts(length, padding)
        batch = {"input_ids": ids, "attention_mask": mask}
        if family in WRITERS:
            ids, mask = texts(written, padding // 2)
            ids[:, 0] = PAD  # what a decoder begins with
            batch |= {"decoder_input_ids": ids, "decoder_attention_mask": mask}
        made.append(batch)
    return made


def read(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """The first output of a model: of tokens that are no padding, or of texts."""
    with torch.no_grad():
        values: Tensor = model(**batch, return_dict=False)[0]
    mask = batch.get("decoder_attention_mask", batch["attention_mask"]).bool()
    return values[mask] if values.shape[:2] == mask.shape else values

"""Padding counts nowhere: a padded batch counts what its texts count, each by itself."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    BartForConditionalGeneration,
    BertForMaskedLM,
    BertForMultipleChoice,
    BloomForCausalLM,
    DebertaModel,
    DebertaV2Model,
    FalconForCausalLM,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    MistralForCausalLM,
    MixtralForCausalLM,
    MptForCausalLM,
    OPTForCausalLM,
    T5ForConditionalGeneration,
    XLMWithLMHeadModel,
)

import las
from las.components import attention, feed_forward, norm
from las.neurons import fused
from las.neurons.tally import OperationCount
from tests.tiny_models import plain

MODELS: dict[str, Callable[[], Any]] = {
    "llama": plain.llama,
    "a sliding window": lambda: plain.make(
        MistralForCausalLM, num_key_value_heads=1, sliding_window=3
    ),
    "capped scores": lambda: plain.make(Gemma2ForCausalLM, num_key_value_heads=1, head_dim=8),
    "one row of all tokens": lambda: plain.make(OPTForCausalLM),
    "both directions": lambda: plain.make(BertForMaskedLM),
    "norms of heads": lambda: plain.make(
        Gemma3ForCausalLM, num_key_value_heads=1, head_dim=8, num_hidden_layers=2
    ),
    "attention of its own": lambda: plain.make(MptForCausalLM, d_model=16),
    "attention of its own, heads in the batch": lambda: plain.make(BloomForCausalLM),
    "attention of its own, keys that heads share": lambda: plain.make(
        FalconForCausalLM, alibi=True, multi_query=True, new_decoder_architecture=False
    ),
    "attention of its own, both directions": lambda: plain.make(XLMWithLMHeadModel, emb_dim=16),
    "products of positions": lambda: plain.make(DebertaV2Model, **RELATIVE),
    "products of positions, heads apart": lambda: plain.make(DebertaModel, **RELATIVE),
    "experts": lambda: plain.make(MixtralForCausalLM, num_key_value_heads=1),
}
RELATIVE = {
    "relative_attention": True,
    "max_relative_positions": 4,
    "pos_att_type": ["c2p", "p2c"],
}
POSITIONS = ("pos_key_proj", "pos_query_proj", "pos_proj", "pos_q_proj")
ONCE = {
    "products of positions": POSITIONS,
    "products of positions, heads apart": (*POSITIONS, "product_1.right", "product_2.right"),
}
"""What is computed once in each pass, however many texts it reads."""
LENGTHS = (9, 4, 0)  # of the texts in a batch: one is nothing but padding
WIDTH = 9
_CONVERTED: dict[str, Any] = {}


def converted(name: str, build: Callable[[], Any]) -> Any:
    if name not in _CONVERTED:
        model = build()
        batches = plain.batches()
        if model.config.is_encoder_decoder:
            batches = [one | {"decoder_input_ids": one["input_ids"]} for one in batches]
        _CONVERTED[name] = las.convert(model, batches).double()
    return _CONVERTED[name]


def texts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(4)
    return [torch.randint(1, plain.VOCABULARY, (n,), generator=generator) for n in LENGTHS]


def padded(side: str) -> dict[str, Tensor]:
    ids = torch.zeros(len(LENGTHS), WIDTH, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts()):
        place = slice(0, len(text)) if side == "right" else slice(WIDTH - len(text), WIDTH)
        ids[row, place], mask[row, place] = text, 1
    return {"input_ids": ids, "attention_mask": mask}


def counted(model: Any, *batches: dict[str, Tensor]) -> Any:
    with torch.no_grad(), las.count_spikes(model) as spikes:
        for batch in batches:
            model(**batch)
    return spikes


def alone() -> list[dict[str, Tensor]]:
    """The texts, each as a batch of its own."""
    kept = [text[None] for text in texts() if len(text)]
    return [{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in kept]


@pytest.mark.parametrize("name", MODELS)
def test_a_padded_batch_counts_what_its_texts_count(name: str) -> None:
    """Spikes, activations, inputs out of range, operations and tokens, at every site."""
    model = converted(name, MODELS[name])
    together, apart = counted(model, padded("right")), counted(model, *alone())
    assert together.tokens == apart.tokens == sum(LENGTHS)

    def of_texts(counts: dict[str, Any]) -> dict[str, Any]:
        once = ONCE.get(name, ())
        return {
            path: count
            for path, count in counts.items()
            if not path.removesuffix(".site").endswith(once)
        }

    def without_shared_inputs(counts: dict[str, OperationCount]) -> dict[str, OperationCount]:
        shared = tuple(path.removesuffix(".right") for path in ONCE.get(name, ()))
        return {
            path: replace(count, inputs=0) if path.endswith(shared) else count
            for path, count in of_texts(counts).items()
        }

    assert of_texts(together.sites) == of_texts(apart.sites)
    assert without_shared_inputs(together.operations) == without_shared_inputs(apart.operations)
    assert len(of_texts(together.sites)) > 10


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", MODELS)
def test_the_simulator_fires_and_counts_alike(name: str, side: str) -> None:
    """Padding on the left leaves queries that see no key."""
    model = converted(name, MODELS[name])
    batch = padded(side)
    with torch.no_grad():
        value = model(**batch)[0]
        with las.simulate(model):
            simulated = model(**batch)[0]
            tally = counted(model, batch)
    assert torch.isfinite(value).all()
    assert (value - simulated).norm() < 1e-11 * value.norm()
    assert tally.sites == counted(model, batch).sites


@pytest.mark.parametrize("name", MODELS)
def test_without_kernels_it_counts_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = converted(name, MODELS[name])
    tally = counted(model, padded("left"))
    for module in (attention, feed_forward, norm, fused):
        monkeypatch.setattr(module, "has_kernels", lambda x: False)
    assert counted(model, padded("left")) == tally


def test_the_encoder_and_the_decoder_have_padding_of_their_own() -> None:
    model = converted("t5", lambda: plain.make(T5ForConditionalGeneration))
    read = padded("right")
    written = {f"decoder_{name}": value.flip(0) for name, value in padded("right").items()}
    kept = [
        {
            "input_ids": read["input_ids"][row : row + 1, :n],
            "attention_mask": read["attention_mask"][row : row + 1, :n],
            "decoder_input_ids": written["decoder_input_ids"][row : row + 1, :m],
        }
        for row, (n, m) in enumerate(zip(LENGTHS, reversed(LENGTHS), strict=True))
    ]
    middle = {name: value[1:2] for name, value in (read | written).items()}
    assert counted(model, middle).sites == counted(model, kept[1]).sites
    tally = counted(model, read | written)
    assert tally.tokens == 2 * sum(LENGTHS)
    with las.simulate(model):
        assert counted(model, read | written).sites == tally.sites


def test_a_cache_and_a_base_model_know_the_padding_too() -> None:
    model = converted("llama", plain.llama)
    whole = {name: value[:2] for name, value in padded("left").items()}
    ids, mask = whole["input_ids"], whole["attention_mask"]
    with torch.no_grad(), las.count_spikes(model) as parts:
        first = model(ids[:, :6], attention_mask=mask[:, :6], use_cache=True)
        model(ids[:, 6:], attention_mask=mask, past_key_values=first.past_key_values)
    at_once = counted(model, whole)
    assert parts.tokens == at_once.tokens == sum(LENGTHS)
    assert parts.sites == at_once.sites
    base = counted(model.model, whole)
    assert base.sites == {n: s for n, s in at_once.sites.items() if n in base.sites}


@pytest.mark.parametrize("kind", ["bool", "float", "minus infinity"])
def test_masks_of_pairs_hide_whole_queries(kind: str) -> None:
    """A mask (B, 1, L, L) of the caller's own: a query that sees nothing does not count there."""
    model = converted("llama", plain.llama)
    ids = texts()[0][None]
    seen = torch.ones(1, 1, WIDTH, WIDTH, dtype=torch.bool).tril()
    seen[..., 2, :] = False
    lowest = -torch.inf if kind == "minus infinity" else torch.finfo(torch.float64).min
    mask = seen if kind == "bool" else torch.zeros(seen.shape).double().masked_fill(~seen, lowest)
    given = {"input_ids": ids, "attention_mask": mask}
    tally = counted(model, given)
    assert tally.out_of_range == 0
    site = "model.layers.1.self_attn.spiking_attention.softmax"
    heads = model.config.num_attention_heads
    assert tally.sites[f"{site}.reciprocal"].activations == heads * (WIDTH - 1)
    assert tally.sites[f"{site}.exp"].activations == heads * int(seen.sum())
    with las.simulate(model):
        assert counted(model, given).sites == tally.sites


def test_blocks_within_blocks_know_the_padding_of_each_pass() -> None:
    model = converted("llama", plain.llama)
    left, right = padded("left"), padded("right")
    apart = [counted(model, batch) for batch in (left, right, right)]
    with torch.no_grad(), las.count_spikes(model) as outer:
        together = [counted(model, batch) for batch in (left, right, right)]
    assert together == apart
    assert outer.tokens == 3 * sum(LENGTHS)
    assert counted(model, left, right, right).sites == outer.sites


def test_after_an_interrupt_nothing_is_left_of_its_padding(monkeypatch: Any) -> None:
    model = converted("llama", plain.llama)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with torch.no_grad(), las.count_spikes(model) as spikes:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(model.model.layers[0].mlp, "forward", interrupted)
            model(**padded("left"))
        before = copy.deepcopy(spikes)
        model(**padded("right"))
    whole = counted(model, padded("right"))
    assert spikes.tokens - before.tokens == whole.tokens
    assert spikes.spikes - before.spikes == whole.spikes


def test_choices_are_texts_with_padding() -> None:
    model = las.convert(plain.make(BertForMultipleChoice), choices(plain.batches())).double()
    (read,) = choices([padded("right")])
    flat = counted(model.bert, padded("right"))
    found = counted(model, read)
    assert found.tokens == sum(LENGTHS)
    assert {name: found.sites[name] for name in flat.sites if name.startswith("bert.enc")} == {
        name: site for name, site in flat.sites.items() if name.startswith("bert.enc")
    }


def choices(batches: list[Any]) -> list[dict[str, Tensor]]:
    """The texts of a batch as choices of one question, (1, choices, L)."""
    return [{name: value[None] for name, value in batch.items()} for batch in batches]


def test_a_part_that_encodes_and_decodes_has_both_paddings() -> None:
    bart = las.convert(
        plain.make(BartForConditionalGeneration),
        [one | {"decoder_input_ids": one["input_ids"]} for one in plain.batches()],
    ).double()
    assert bart.config.is_encoder_decoder
    batch = padded("right") | {f"decoder_{n}": x.flip(0) for n, x in padded("right").items()}
    whole, part = counted(bart, batch), counted(bart.model, batch)
    assert part.tokens == whole.tokens
    assert part.sites == {n: s for n, s in whole.sites.items() if n in part.sites}


def test_as_many_texts_as_heads_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator works on blocks of one text, whose heads are no texts."""
    model = converted("both directions", MODELS["both directions"])
    heads = model.config.num_attention_heads
    monkeypatch.setattr(attention, "BLOCK", heads * WIDTH**2)
    ids = torch.arange(1, 1 + heads * WIDTH).view(heads, WIDTH) % plain.VOCABULARY
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids).triu(-1)}
    tally = counted(model, batch)
    with las.simulate(model):
        assert counted(model, batch).sites == tally.sites

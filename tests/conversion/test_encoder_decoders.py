"""What T5 and its kin owe their originals beside the checks of all architectures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import las
from las.calibration.collect import collect
from las.calibration.fingerprint import fingerprint
from las.components import attention, feed_forward, norm
from las.conversion import prepare
from las.errors import CalibrationError
from las.neurons import fused
from tests import tiny_models
from tests.conversion.converted import Pair, converted, relative
from tests.tiny_models.tiny_model import PAD

GENERATION: Any = dict(do_sample=False, eos_token_id=None, pad_token_id=PAD)
WRITERS = ["t5", "flan-t5", "mt5", "umt5"]
OTHERS = ["t5-classification", "t5-questions", "t5-encoder", "t5-tokens", "umt5-encoder"]


@pytest.fixture(params=[*WRITERS, *OTHERS])
def pair(request: pytest.FixtureRequest) -> Pair:
    return converted(request.param)


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> Pair:
    return converted(request.param)


def first_output(pair: Pair, model: Any, batch: dict[str, Tensor]) -> Tensor:
    """The first output."""
    return pair.tiny.read(model, batch)[0]


def figures(tally: Any) -> dict[str, tuple[int, int]]:
    return {name: (site.activations, site.spikes) for name, site in tally.sites.items()}


@pytest.mark.parametrize("beams", [1, 3])
def test_generation_with_a_cache_gives_the_tokens_of_a_full_forward_pass(
    writer: Pair, beams: int
) -> None:
    """From a padded text too."""
    model = writer.in_float64()
    batch = writer.batch(rows=2, length=9, padding=3, seed=4)
    prompt = {name: batch[name] for name in ("input_ids", "attention_mask")}
    options = GENERATION | dict(max_new_tokens=8, num_beams=beams)
    with torch.no_grad():
        tokens = model.generate(**prompt, **options)
        assert tokens.shape == (2, 9)
        assert torch.equal(tokens, model.generate(**prompt, **options, use_cache=False))
        full = model(**prompt, decoder_input_ids=tokens, use_cache=False).logits
    if beams == 1:
        assert torch.equal(tokens[:, 1:], full[:, :-1].argmax(-1))


def in_parts(model: Any, batch: dict[str, Tensor], lengths: list[int]) -> Tensor:
    """Logits of a decoder whose tokens enter a few at a time."""
    ids = batch["decoder_input_ids"]
    read = {name: batch[name] for name in ("input_ids", "attention_mask")}
    cache, parts = None, []
    with torch.no_grad():
        encoded = model.get_encoder()(**read)
        for part in ids.split(lengths, dim=1):
            output = model(
                encoder_outputs=encoded,
                attention_mask=read["attention_mask"],
                decoder_input_ids=part,
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            parts.append(output.logits)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("lengths", [[7, 1, 1, 3], [1] * 12])
def test_tokens_that_enter_in_parts_give_the_logits_of_the_whole(
    writer: Pair, lengths: list[int]
) -> None:
    """Keys and values fire once: the decoder's as they enter, the encoder's at the first part."""
    model = writer.in_float64()
    batch = writer.batch(rows=2, length=10, written=12, padding=3, seed=6)
    del batch["decoder_attention_mask"]
    with torch.no_grad(), las.count_spikes(model) as at_once:
        whole = model(**batch, use_cache=False).logits
    with las.count_spikes(model) as gradual:
        parts = in_parts(model, batch, lengths)
    assert relative(parts, whole) < 1e-9
    assert gradual.tokens == at_once.tokens == 2 * (10 + 12) - 3
    remembered = [
        name
        for name in at_once.sites
        if name.endswith((".key", ".value")) or "EncDecAttention.k." in name
    ]
    layers = writer.dense.config.num_layers + 2 * writer.dense.decoder.config.num_layers
    assert len(remembered) == 2 * layers + 1
    for name in remembered:
        assert gradual.sites[name] == at_once.sites[name]
        assert at_once.sites[name].spikes > 0
    for name, operations in at_once.operations.items():
        if operations.kind == "linear":  # the encoder's tokens go through no layer a second time
            assert gradual.operations[name] == operations


def test_the_simulator_agrees_with_a_cache_too(writer: Pair) -> None:
    model = writer.in_float64()
    batch = writer.batch(rows=2, length=7, written=5, padding=2, seed=7)
    with las.count_spikes(model) as fused_spikes:
        fused = in_parts(model, batch, [3, 1, 1])
    with las.simulate(model), las.count_spikes(model) as simulated_spikes:
        simulated = in_parts(model, batch, [3, 1, 1])
    assert relative(fused, simulated) < 1e-12
    assert figures(fused_spikes) == figures(simulated_spikes)


def test_where_no_kernel_runs_outputs_and_counts_are_the_same(
    writer: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = writer.in_float64()
    batch = writer.batch(rows=2, length=7, written=5, padding=2, seed=7)
    outputs, tallies = [], []
    for kernels in (True, False):
        if not kernels:
            for module in (attention, feed_forward, norm, fused):
                monkeypatch.setattr(module, "has_kernels", lambda x: False)
        with las.count_spikes(model) as tally:
            outputs.append(in_parts(model, batch, [3, 1, 1]))
        tallies.append(tally)
    assert relative(*outputs) < 1e-11
    assert tallies[0] == tallies[1]


def test_what_the_encoder_made_is_coded_once_for_all_layers_of_the_decoder(writer: Pair) -> None:
    model = prepare(writer.tiny.build())
    shared = collect(model, writer.tiny.batches()).shared
    site = "decoder.block.{}.layer.1.EncDecAttention.{}.site"
    readers = {
        site.format(layer, name)
        for layer in range(writer.dense.decoder.config.num_layers)
        for name in "kv"
    }
    first = site.format(0, "k")
    assert {name for name, owner in shared.items() if owner == first} == readers - {first}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_checkpoint_in_half_precision_is_as_good_as_the_original_in_it(
    writer: Pair, dtype: torch.dtype, tmp_path: Any
) -> None:
    """In float16, transformers keeps one layer of each feed-forward network in float32."""
    read = []
    for name, model in (("dense", writer.dense), ("spiking", writer.spiking)):
        model.save_pretrained(tmp_path / name)
        half = type(writer.dense).from_pretrained(tmp_path / name, dtype=dtype)
        read.append(first_output(writer, half, writer.batch(rows=2)).float())
    exact = first_output(writer, writer.dense, writer.batch(rows=2))
    assert relative(read[1], exact) < 2 * relative(read[0], exact) + 1e-3


def test_no_operation_is_float(pair: Pair) -> None:
    batch = pair.batch(rows=2)
    for given in (batch, None) if pair.tiny.name != "t5-classification" else (batch,):
        report = las.audit(pair.spiking, given)
        assert report.clean, str(report)


def test_labels_tell_a_decoder_what_to_read(writer: Pair) -> None:
    """In calibration and in an audit; a label of -100 is padding."""
    batch = writer.batch(rows=3, length=12, written=9, padding=4, seed=3)
    mask = batch.pop("decoder_attention_mask")
    labels = batch.pop("decoder_input_ids").masked_fill(mask == 0, -100)
    batch["labels"] = labels
    assert las.audit(writer.spiking, batch).clean
    statistics = collect(prepare(writer.tiny.build()), [batch])
    assert statistics.tokens == int(batch["attention_mask"].sum() + mask.sum())
    assert las.audit(las.convert(writer.tiny.build(), [batch])).clean


def test_each_stack_has_its_own_padding(writer: Pair) -> None:
    """Even where both are of one length, and a shape does not tell them apart."""
    batch = writer.batch(rows=3, length=12, written=12, padding=4, seed=2)
    read, written = (
        int(batch[name].sum()) for name in ("attention_mask", "decoder_attention_mask")
    )
    assert read == 3 * 12 - 4
    assert written == 3 * 12 - 2
    sites = collect(prepare(writer.tiny.build()), [batch]).sites
    width, heads, head = 32, 4, 8
    cross = "decoder.block.1.layer.1.EncDecAttention"
    pairs = {
        "encoder.block.1.layer.0.layer_norm.input": read * width,
        "encoder.block.1.layer.0.SelfAttention.spiking_attention.key": read * heads * head,
        "decoder.block.1.layer.0.layer_norm.input": written * width,
        "decoder.block.1.layer.0.SelfAttention.spiking_attention.value": written * heads * head,
        "decoder.block.0.layer.1.EncDecAttention.k.site": read * width,
        f"{cross}.q.site": written * width,
        f"{cross}.o.site": written * width,
        f"{cross}.spiking_attention.query": written * heads * head,
        f"{cross}.spiking_attention.key": read * heads * head,
        f"{cross}.spiking_attention.value": read * heads * head,
        f"{cross}.spiking_attention.softmax.reciprocal": written * heads,
        "lm_head.site": written * width,
    }
    assert {name: sites[name].count for name in pairs} == pairs


def test_padding_changes_no_token(pair: Pair) -> None:
    """What is written for a text is the same alone and beside a longer one."""
    batch = pair.batch(rows=2, length=14, written=8, padding=6, seed=12)
    alone = {name: x[1:, : int(batch[_mask_of(name)][1].sum())] for name, x in batch.items()}
    beside = {name: x[1:] for name, x in batch.items()}
    dense, spiking = (
        relative(first_output(pair, model, alone), first_output(pair, model, beside))
        for model in (pair.dense, pair.spiking)
    )
    assert dense < 1e-5
    assert spiking < 1e-4


def _mask_of(name: str) -> str:
    return "decoder_attention_mask" if name.startswith("decoder") else "attention_mask"


def test_energy_of_a_generation_is_counted(writer: Pair) -> None:
    """All tokens count that a stack reads: the text once, and one token at each step."""
    batch = writer.batch(rows=2, length=9, padding=0)
    with las.count_spikes(writer.spiking) as spikes, torch.no_grad():
        writer.spiking.generate(batch["input_ids"], **GENERATION, max_new_tokens=5)
    assert spikes.tokens == 2 * (9 + 5)
    rows = {row.name: row for row in las.energy(writer.spiking, spikes).rows}
    cross = rows["decoder.block.0.layer.1.EncDecAttention.spiking_attention.scores"]
    assert cross.macs == 2 * 5 * 9 * 32  # rows, steps, keys, all heads' channels
    assert cross.sops > 0


@pytest.mark.parametrize(
    ("family", "option", "value"),
    [
        ("t5", "scale_decoder_outputs", False),
        ("t5", "relative_attention_max_distance", 20),
        ("flan-t5", "dense_act_fn", "silu"),
    ],
)
def test_the_same_weights_of_another_architecture_are_another_base(
    family: str, option: str, value: Any
) -> None:
    model = tiny_models.build(family)
    before = fingerprint(model)
    setattr(model.config, option, value)
    assert fingerprint(model) != before


def test_a_batch_without_a_text_to_read_is_an_error() -> None:
    (batch,) = tiny_models.batches("t5", count=1)
    del batch["input_ids"]
    with pytest.raises(CalibrationError, match="input_ids"):
        las.convert(tiny_models.build("t5"), [batch])


@pytest.mark.parametrize("hidden", ["the first tokens", "all tokens"])
@pytest.mark.parametrize("side", ["", "decoder_"])
def test_a_calibration_batch_may_begin_with_padding(side: str, hidden: str) -> None:
    """What such a query sees differs from model to model, and is no matter of the comparison."""
    tiny = tiny_models.build("t5")
    ids = tiny_models.batches("t5")[0]["input_ids"]
    mask = torch.ones_like(ids)
    mask[:, : 3 if hidden == "the first tokens" else None] = 0
    batch = {"input_ids": ids, "decoder_input_ids": ids, f"{side}attention_mask": mask}
    las.convert(tiny, [batch, *tiny_models.batches("t5")])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["t5", "flan-t5", "bart", "whisper"])
def test_in_half_precision_a_guard_against_overflow_is_no_float_operation(
    family: str, dtype: torch.dtype
) -> None:
    model = tiny_models.build(family).to(dtype)
    batches = [
        {name: x.to(dtype) if x.is_floating_point() else x for name, x in batch.items()}
        for batch in tiny_models.batches(family)
    ]
    las.convert(model, batches)
    assert las.audit(model, batches[0]).clean

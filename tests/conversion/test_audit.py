from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import las
from las.components.attention import stay_spiking
from las.components.cache import code_on_entry
from las.conversion.audit import AuditReport, audit
from las.errors import CalibrationError, UnsupportedModelError
from tests.tiny_models import plain


@pytest.fixture(scope="module")
def spiking_llama() -> nn.Module:
    return las.convert(plain.llama(layers=3), plain.batches())


@pytest.fixture(scope="module")
def spiking_bert() -> nn.Module:
    return las.convert(plain.bert(), plain.batches())


def operations(report: AuditReport, verdict: str) -> dict[tuple[str, str], int]:
    chosen = [row for row in report.rows if row.verdict == verdict]
    return {(row.operation, row.module): row.count for row in chosen}


def test_a_converted_llama_has_no_float_operation(spiking_llama: nn.Module) -> None:
    report = audit(spiking_llama)
    assert report.clean, str(report)
    assert not report.floats
    assert report.constants > 0  # masks, positions and RoPE's tables
    assert operations(report, "spiking") == {
        ("SpikingNorm", "model.layers.*.input_layernorm"): 3,
        ("SpikingLinear", "model.layers.*.self_attn.q_proj"): 3,
        ("SpikingLinear", "model.layers.*.self_attn.k_proj"): 3,
        ("SpikingLinear", "model.layers.*.self_attn.v_proj"): 3,
        ("SpikingAttention", "model.layers.*.self_attn.spiking_attention"): 3,
        ("SpikingLinear", "model.layers.*.self_attn.o_proj"): 3,
        ("SpikingNorm", "model.layers.*.post_attention_layernorm"): 3,
        ("SpikingGatedFeedForward", "model.layers.*.mlp"): 3,
        ("SpikingLinear", "model.layers.*.mlp.gate_proj"): 3,
        ("SpikingLinear", "model.layers.*.mlp.up_proj"): 3,
        ("SpikingLinear", "model.layers.*.mlp.down_proj"): 3,
        ("SpikingNorm", "model.norm"): 1,
        ("SpikingLinear", "lm_head"): 1,
    }


def test_the_exceptions_are_the_look_up_and_the_residual_additions(
    spiking_llama: nn.Module,
) -> None:
    assert operations(audit(spiking_llama), "exception") == {
        ("embedding", "model.embed_tokens"): 1,
        ("add", "model.layers.*"): 6,
    }


def test_rope_is_fixed_weights(spiking_llama: nn.Module) -> None:
    """q cos + rotate_half(q) sin, for queries and keys: no residual addition."""
    assert operations(audit(spiking_llama), "folded") == {
        ("mul", "model.layers.*.self_attn"): 4 * 3,
        ("neg", "model.layers.*.self_attn"): 2 * 3,
        ("add", "model.layers.*.self_attn"): 2 * 3,
    }


def test_a_converted_bert_has_no_float_operation(spiking_bert: nn.Module) -> None:
    report = audit(spiking_bert)
    assert report.clean, str(report)
    assert operations(report, "exception") == {
        ("embedding", "embeddings.word_embeddings"): 1,
        ("embedding", "embeddings.token_type_embeddings"): 1,
        ("embedding", "embeddings.position_embeddings"): 1,
        ("add", "embeddings"): 2,
        ("add", "encoder.layer.*.attention.output"): 2,
        ("add", "encoder.layer.*.output"): 2,
    }
    assert not operations(report, "folded")


def test_a_row_names_the_equation_and_the_neurons(spiking_llama: nn.Module) -> None:
    notes = {row.operation: row.note for row in audit(spiking_llama).rows}
    assert notes["SpikingLinear"] == "Eq. 10; neurons: OAT site"
    assert notes["SpikingGatedFeedForward"].endswith("neurons: HG silu, OAT up_site")
    assert "Eqs. 11-12 and 15-17" in notes["SpikingAttention"]
    assert "HG exp, HG reciprocal" in notes["SpikingAttention"]


def test_of_a_dense_model_nearly_everything_is_float() -> None:
    report = audit(plain.llama())
    assert not report.clean
    assert not operations(report, "spiking")
    found = {row.operation for row in report.floats}
    assert {"mm", "pow", "rsqrt", "silu", "mul"} <= found
    assert any("attention" in operation for operation in found)
    assert "float operations" in str(report)
    assert {"native_layer_norm", "addmm", "gelu"} <= {
        row.operation for row in audit(plain.bert()).floats
    }


def test_more_layers_do_not_make_a_longer_report() -> None:
    short, long = (audit(plain.llama(layers=layers)) for layers in (2, 5))
    assert len(short.rows) == len(long.rows)
    assert len(str(long).splitlines()) < 40


def test_the_report_as_text(spiking_llama: nn.Module) -> None:
    report = audit(spiking_llama)
    assert str(report).startswith("LlamaForCausalLM: no float operation\n")
    table = report.to_markdown()
    assert "| spiking | SpikingNorm | `model.norm` | SpikingNorm | 1 | Eq. 14;" in table
    assert len(table.splitlines()) == 2 + len(report.rows) + 2


def test_auditing_leaves_the_model_alone(spiking_llama: nn.Module) -> None:
    (batch,) = plain.batches(1)
    before = spiking_llama(**batch).logits
    audit(spiking_llama)
    assert torch.equal(spiking_llama(**batch).logits, before)
    for module in spiking_llama.modules():
        assert not module._forward_hooks
        assert set(module._forward_pre_hooks.values()) <= {code_on_entry, stay_spiking}
    dense = plain.llama().train()
    audit(dense)
    assert all(module.training for module in dense.modules())


def test_a_batch_of_ones_own(spiking_llama: nn.Module) -> None:
    (batch,) = plain.batches(1)
    assert audit(spiking_llama, {**batch, "labels": batch["input_ids"]}).clean
    embedded = spiking_llama.get_input_embeddings()(batch["input_ids"])
    assert audit(spiking_llama, {"inputs_embeds": embedded}).clean


def test_neurons_without_thresholds_are_an_error() -> None:
    from las.conversion.prepare import prepare

    with pytest.raises(CalibrationError, match="calibrate first"):
        audit(prepare(plain.llama()))


def squared(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output + 0.01 * output * output


def scaled_and_shifted(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return 2 * output - 1


def through_numpy(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return torch.from_numpy(output.numpy() ** 2)


def rounded(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return output + output.long()


def selected_by_data(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return torch.where(output > 0, output, torch.zeros_like(output))


def test_a_product_of_activations_is_found_where_it_is(spiking_llama: nn.Module) -> None:
    handle = spiking_llama.get_submodule("model.layers.1.mlp").register_forward_hook(squared)
    try:
        report = audit(spiking_llama)
    finally:
        handle.remove()
    (row,) = report.floats
    assert (row.operation, row.module, row.count) == ("mul", "model.layers.1.mlp", 1)
    assert row.note == "product of two activations"
    assert "1 float operation" in str(report)
    assert audit(spiking_llama).clean


@pytest.mark.parametrize(
    ("hook", "found"),
    [
        (scaled_and_shifted, set()),
        (through_numpy, {"untraced output"}),
        (rounded, {"_to_copy"}),
        (selected_by_data, {"gt", "where"}),
    ],
)
def test_what_else_may_happen_to_an_activation(
    spiking_llama: nn.Module, hook: Any, found: set[str]
) -> None:
    handle = spiking_llama.get_submodule("lm_head").register_forward_hook(hook)
    try:
        assert {row.operation for row in audit(spiking_llama).floats} == found
    finally:
        handle.remove()


def test_data_that_left_pytorch_on_the_way_are_found(spiking_llama: nn.Module) -> None:
    handle = spiking_llama.get_submodule("model.layers.0").register_forward_hook(through_numpy)
    try:
        report = audit(spiking_llama)
    finally:
        handle.remove()
    assert "untraced input" in {row.operation for row in report.floats}


def test_a_conversion_that_would_leave_a_float_operation_is_refused() -> None:
    model = plain.llama()
    layer = model.get_submodule("model.layers.1")
    handle = layer.register_forward_hook(squared)
    (batch,) = plain.batches(1)
    before = model(**batch).logits
    with pytest.raises(UnsupportedModelError, match=r"mul in model\.layers\.1 \(LlamaDecoderLayer"):
        las.convert(model, iter(plain.batches()))
    assert torch.equal(model(**batch).logits, before)
    handle.remove()
    assert audit(las.convert(model, iter(plain.batches()))).clean

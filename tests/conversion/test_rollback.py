from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import las
from las.conversion import registry
from las.conversion.prepare import is_spiking, prepare
from las.errors import AdapterError, CalibrationError, LasError, UnsupportedModelError
from tests.conversion.snapshot import assert_as_before, snapshot
from tests.tiny_models import plain


def with_nan() -> Iterator[dict[str, Tensor]]:
    model = plain.llama()
    for batch in plain.batches():
        embedded = model.get_input_embeddings()(batch["input_ids"]).detach()
        embedded[0, 0, 0] = torch.nan
        yield {"inputs_embeds": embedded}


def that_break_off() -> Iterator[dict[str, Tensor]]:
    yield plain.batches(1)[0]
    raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        (lambda: iter(()), CalibrationError, "saw 0 tokens"),
        (with_nan, CalibrationError, "NaN or infinite"),
        (that_break_off, OSError, "the disk is gone"),
        (lambda: [{"ids": torch.zeros(1, 40)}], CalibrationError, "needs input_ids"),
    ],
)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_failed_calibration_leaves_the_model_as_it_was(
    batches: Callable[[], Any], error: type[Exception], message: str, attention: str
) -> None:
    model = plain.llama(attn_implementation=attention)
    before = snapshot(model)
    with pytest.raises(error, match=message):
        las.convert(model, batches())
    assert_as_before(model, before)


def test_a_model_in_training_mode_goes_back_to_it() -> None:
    model = plain.bert().train()
    model.encoder.eval()
    model.config.hidden_dropout_prob = 0.0
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    before = snapshot(model)
    with pytest.raises(CalibrationError):
        las.convert(model, [])
    assert_as_before(model, before)


def test_a_module_refused_half_way_leaves_the_model_as_it_was() -> None:
    """The activation of a gated network is looked at after the layers before it were swapped."""
    model = plain.llama(hidden_act="relu")
    before = snapshot(model)
    with pytest.raises(UnsupportedModelError, match="no HG function"):
        prepare(model)
    assert_as_before(model, before)
    with pytest.raises(UnsupportedModelError, match="no HG function"):
        las.convert(model, plain.batches())
    assert_as_before(model, before)


def test_a_converter_that_fails_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(module: nn.Module) -> nn.Module:
        raise RuntimeError("not this one")

    monkeypatch.setitem(registry.OF_USERS, "Tanh", fails)  # of the pooler, the last module
    model = plain.bert()
    before = snapshot(model)
    with pytest.raises(RuntimeError, match="not this one"):
        las.convert(model, plain.batches())
    assert_as_before(model, before)


def test_an_interrupt_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["las.conversion.convert"], "fit_functions", interrupted)
    model = plain.llama()
    before = snapshot(model)
    with pytest.raises(KeyboardInterrupt):
        las.convert(model, plain.batches())
    assert_as_before(model, before)


def test_a_failed_load_leaves_the_model_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    las.save(las.convert(plain.llama(), plain.batches()), tmp_path)
    from las.conversion import other_heads

    def fails(*_: object) -> None:
        raise AdapterError("no parameters for 1 neuron sites")

    model = plain.llama()
    before = snapshot(model)
    with monkeypatch.context() as patched:
        patched.setattr(other_heads, "apply", fails)
        with pytest.raises(LasError, match="no parameters"):
            las.load(model, tmp_path)
    assert_as_before(model, before)
    assert is_spiking(las.load(model, tmp_path))


def test_a_model_that_spikes_already_goes_on_spiking() -> None:
    model = las.convert(plain.llama(), plain.batches())
    (batch,) = plain.batches(1)
    before = model(**batch).logits
    with pytest.raises(UnsupportedModelError, match="spiking one already"):
        las.convert(model, plain.batches())
    assert torch.equal(model(**batch).logits, before)
    assert is_spiking(model)


def test_tied_weights_stay_tied_after_a_failure() -> None:
    model = plain.llama(tie_word_embeddings=True)
    with pytest.raises(CalibrationError):
        las.convert(model, [])
    assert model.lm_head.weight is model.model.embed_tokens.weight

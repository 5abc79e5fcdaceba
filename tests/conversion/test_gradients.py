"""A spiking model is fine-tuned as its original is, and never without a gradient or a word."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    BertForMaskedLM,
    LlamaForCausalLM,
    Trainer,
    TrainingArguments,
)

import las
from tests.tiny_models import plain

Batches = Callable[..., list[dict[str, Tensor]]]


@pytest.fixture
def spiking(llama: LlamaForCausalLM, make_batches: Batches) -> LlamaForCausalLM:
    """Of the fixture `llama`, with weights of its own."""
    return las.convert(copy.deepcopy(llama), make_batches())


def texts(make_batches: Batches, rows: int = 8) -> list[dict[str, Tensor]]:
    """Examples for the Trainer."""
    (batch,) = make_batches(count=1, rows=rows, seed=3)
    return [{"input_ids": ids, "labels": ids} for ids in batch["input_ids"]]


def arguments(folder: Path, **options: Any) -> TrainingArguments:
    return TrainingArguments(
        str(folder), report_to=[], use_cpu=True, disable_tqdm=True, save_strategy="no", **options
    )


def test_outputs_have_the_same_bits_with_and_without_gradients(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1, padding=4)
    with torch.no_grad():
        without = spiking(**batch).logits
    with torch.inference_mode():
        inference = spiking(**batch).logits
    assert torch.equal(spiking(**batch).logits.detach(), without)
    assert torch.equal(inference, without)


def test_spikes_are_counted_alike_with_and_without_gradients(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1, padding=4)
    with las.count_spikes(spiking) as with_gradients:
        spiking(**batch)
    with las.count_spikes(spiking) as without, torch.no_grad():
        spiking(**batch)
    assert with_gradients.to_dict() == without.to_dict()


def test_a_row_that_sees_nothing_has_no_nan_in_its_gradient(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1, rows=3)
    batch["attention_mask"][1] = 0
    spiking(**batch).logits[[0, 2]].square().mean().backward()
    assert all(torch.isfinite(one.grad).all() for one in spiking.parameters())


def test_half_precision_has_gradients(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1)
    half = spiking.bfloat16()
    half(**batch, labels=batch["input_ids"]).loss.backward()
    assert all(one.grad is not None for one in half.parameters())


def test_the_simulator_says_that_it_has_no_gradient(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1, length=6)
    with las.simulate(spiking):
        loss = spiking(**batch, labels=batch["input_ids"]).loss
    with pytest.raises(las.errors.LasError, match="simulator has no gradient"):
        loss.backward()


def test_stopped_neurons_have_gradients(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1)
    with las.stop_after(spiking, 8):
        spiking(**batch, labels=batch["input_ids"]).loss.backward()
    assert all(one.grad is not None for one in spiking.parameters())


def test_checkpointed_layers_have_the_same_gradients(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1)
    found = []
    for checkpointed in (False, True):
        model = copy.deepcopy(spiking)
        if checkpointed:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
        model(**batch, labels=batch["input_ids"], use_cache=False).loss.backward()
        found.append([one.grad for one in model.parameters()])
    for plain_gradient, again in zip(*found, strict=True):
        torch.testing.assert_close(plain_gradient, again)


@pytest.mark.parametrize("where", ["in memory", "loaded"])
def test_the_trainer_trains_evaluates_and_predicts(
    where: str, spiking, llama, make_batches, tmp_path: Path
) -> None:
    """It ends where the original does, trained in the same way on the same data."""
    if where == "loaded":
        spiking.save_pretrained(tmp_path / "saved")
        spiking = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    data = texts(make_batches)
    losses = []
    for model in (spiking, llama):
        trainer = Trainer(
            model=model,
            args=arguments(tmp_path / "out", max_steps=12, learning_rate=1e-2),
            train_dataset=data,
            eval_dataset=data,
        )
        before = trainer.evaluate()["eval_loss"]
        trainer.train()
        after = trainer.evaluate()["eval_loss"]
        assert trainer.predict(data).predictions.shape == (8, 24, 64)
        losses.append((before, after))
    (before, after), (_, original) = losses
    assert after < 0.9 * before
    assert after == pytest.approx(original, rel=0.02)


def test_lora_around_the_original_is_trained_after_conversion(llama, make_batches) -> None:
    """The adapters spike, too; merged, they are part of the weights."""
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(copy.deepcopy(llama), config)
    las.convert(adapted.base_model.model, make_batches())
    (batch,) = make_batches(count=1)
    weights = [one for one in adapted.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    losses = []
    for _ in range(8):
        loss = adapted(**batch, labels=batch["input_ids"]).loss
        optimizer.zero_grad()
        loss.backward()
        assert all(one.grad is not None for one in weights)
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.9 * losses[0]


def test_new_thresholds_after_the_ranges_have_changed(spiking, llama, make_batches) -> None:
    """Weights grow by eight: old thresholds saturate, new ones do not."""
    batches = make_batches()
    for model in (spiking, llama):
        with torch.no_grad():
            for layer in model.model.layers:
                layer.self_attn.v_proj.weight *= 8
                layer.mlp.up_proj.weight *= 8
    (batch,) = make_batches(count=1, seed=7)
    with torch.no_grad():
        exact = llama(**batch).logits

        def error() -> float:
            return float((spiking(**batch).logits - exact).norm() / exact.norm())

        with las.count_spikes(spiking) as saturated:
            before = error()
        assert las.recalibrate(spiking, batches) is spiking
        with las.count_spikes(spiking) as counted:
            after = error()
    assert before > 1e-2
    assert after < 1e-3
    assert saturated.out_of_range > 100 * counted.out_of_range
    assert not hasattr(spiking, "las_report")


def test_recalibration_is_conversion_where_nothing_changed(spiking, llama, make_batches) -> None:
    again = las.recalibrate(copy.deepcopy(spiking), make_batches())
    (batch,) = make_batches(count=1, seed=7)
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, spiking(**batch).logits)


def test_a_failed_recalibration_leaves_the_model_as_it_was(spiking, make_batches) -> None:
    (batch,) = make_batches(count=1, seed=7)
    with torch.no_grad():
        before = spiking(**batch).logits
        with pytest.raises(las.errors.CalibrationError):
            las.recalibrate(spiking, [])
        assert torch.equal(spiking(**batch).logits, before)
    with pytest.raises(las.errors.AdapterError, match="no converted model"):
        las.recalibrate(plain.make(BertForMaskedLM), make_batches())


def test_a_recalibrated_model_is_saved_and_loaded(spiking, make_batches, tmp_path: Path) -> None:
    (batch,) = make_batches(count=1, seed=7)
    with torch.no_grad():
        spiking.model.layers[0].mlp.up_proj.weight *= 8
        las.recalibrate(spiking, make_batches())
        spiking.save_pretrained(tmp_path)
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert torch.equal(loaded(**batch).logits, spiking(**batch).logits)

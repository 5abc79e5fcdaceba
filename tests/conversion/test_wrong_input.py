"""What is said of wrong batches, models and options, and that the model stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import (
    BatchEncoding,
    BertForSequenceClassification,
    LlamaForCausalLM,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTModel,
)

import las
from las.calibration import collect
from las.conversion import is_spiking, prepare
from las.conversion.audit import audit
from las.conversion.convert import calibrate, prepare_proved
from las.errors import CalibrationError, LasError, UnsupportedModelError
from tests.conversion.snapshot import assert_as_before, snapshot
from tests.tiny_models import plain

IDS = plain.batches(1)[0]["input_ids"]
TOO_LONG = {"input_ids": torch.zeros(2, 600, dtype=torch.int64)}  # for 512 positions
UNREADABLE = {"input_ids": IDS, "position_ids": torch.full((1, 24), 10_000)}

BATCHES: list[tuple[Callable[[], Any], str]] = [
    (lambda: None, "None was given"),
    (lambda: "a text", "'a text' was given"),
    (lambda: plain.batches(1)[0], "a dict was given"),
    (lambda: las.SpikeConfig(), "a SpikeConfig was given"),
    (lambda: iter(()), "saw 0 tokens.* once"),
    (lambda: ["a text", "another"], "calibration batch 0 is a text"),
    (lambda: [IDS], "calibration batch 0 is a Tensor"),
    (lambda: [*plain.batches(1), (IDS, IDS)], "calibration batch 1 is a tuple"),
    (lambda: [{"input_ids": IDS[0]}], "calibration batch 0: input_ids has the shape"),
    (lambda: [{"input_ids": IDS + 500}], "calibration batch 0: input_ids holds"),
    (lambda: [TOO_LONG], r"BertModel does not run on calibration batch 0: RuntimeError: .*600"),
    (
        lambda: [{"input_ids": IDS[:0]}, TOO_LONG],
        "BertModel does not run on calibration batch 1: RuntimeError",
    ),
    (
        lambda: (one for one in [*plain.batches(2), UNREADABLE]),
        "BertModel does not run on calibration batch 2: RuntimeError: index 10000",
    ),
    (lambda: [{"input_ids": IDS, 5: 5}], "on calibration batch 0: TypeError: .*string"),
    (lambda: [{"input_ids": IDS, "mask": IDS}], "batch 0: 'mask' is no argument that BertModel"),
]


@pytest.mark.parametrize(("make", "message"), BATCHES)
@pytest.mark.parametrize("verify", [True, False])
def test_wrong_batches_leave_the_model_as_it_was(
    make: Callable[[], Any], message: str, verify: bool
) -> None:
    model = plain.bert()
    model.encoder.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    before = snapshot(model)
    with pytest.raises(CalibrationError, match=message) as raised:
        las.convert(model, make(), verify=verify)
    assert "\n" not in str(raised.value)
    assert_as_before(model, before)


def test_every_entry_says_it_alike() -> None:
    model = plain.bert()
    before = snapshot(model)
    entries: list[Callable[[Any], Any]] = [
        lambda batch: las.convert(model, [batch]),
        lambda batch: calibrate(model, [batch]),
        lambda batch: prepare_proved(model, batch),
        lambda batch: las.audit(model, batch),
        lambda batch: collect(prepare(plain.bert()), [batch]),
    ]
    for wrong, message in (
        ("a text", "batch( 0)? is a text"),
        ({"input_ids": IDS.tolist()}, "batch( 0)?: input_ids is a list"),
        (UNREADABLE, "BertModel does not run on .*batch( 0)?: RuntimeError: index"),
        (TOO_LONG, "BertModel does not run on .*batch( 0)?: RuntimeError"),
    ):
        for entry in entries:
            with pytest.raises(CalibrationError, match=message):
                entry(wrong)
            assert_as_before(model, before)


def test_images_of_a_wrong_shape() -> None:
    config = ViTConfig(
        image_size=8,
        patch_size=4,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    for shape in ((4, 3, 16, 16), (4, 8, 8, 3), (4, 1, 8, 8), (4, 3, 2, 2), (3, 8, 8)):
        with pytest.raises(CalibrationError, match="ViTModel does not run on calibration batch 0"):
            las.convert(ViTModel(config), [{"pixel_values": torch.randn(shape)}])
    images = [{"pixel_values": torch.randn(10, 3, 8, 8)}, {"pixel_values": torch.randn(0, 3, 8, 8)}]
    assert is_spiking(las.convert(ViTModel(config), images))


def test_what_comes_of_a_generator_stays_its_error() -> None:
    def interrupted() -> Iterator[Any]:
        yield from plain.batches(1)
        raise KeyboardInterrupt

    model = plain.bert()
    before = snapshot(model)
    with pytest.raises(KeyboardInterrupt):
        las.convert(model, interrupted())
    assert_as_before(model, before)


class Rows(Dataset[dict[str, Tensor]]):
    """Labelled sequences, one by one."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index)
        ids = torch.randint(plain.VOCABULARY, (24,), generator=generator)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}


FORMS: dict[str, Callable[[], Any]] = {
    "BatchEncoding": lambda: [BatchEncoding(batch) for batch in plain.batches()],
    "generator": lambda: iter(plain.batches()),
    "tuple": lambda: tuple(plain.batches()),
    "DataLoader": lambda: DataLoader(Rows(), batch_size=4),
    "boolean mask": lambda: [
        b | {"attention_mask": b["attention_mask"] > 0} for b in plain.batches()
    ],
    "mask of pairs": lambda: [
        {"input_ids": IDS, "attention_mask": torch.ones(2, 1, 24, 24).tril().bool()}
    ],
    "no mask": lambda: [{"input_ids": IDS}],
    "embedded": lambda: [{"inputs_embeds": plain.llama().get_input_embeddings()(IDS).detach()}],
    "positions": lambda: [{"input_ids": IDS, "position_ids": torch.arange(24)[None]}],
    "no cache": lambda: [{"input_ids": IDS, "use_cache": False, "labels": IDS}],
    "an empty batch first": lambda: [{"input_ids": IDS[:0]}, *plain.batches()],
    "nothing but padding first": lambda: [
        {"input_ids": IDS, "attention_mask": torch.zeros_like(IDS)},
        *plain.batches(),
    ],
    "a row of padding first": lambda: [
        b | {"attention_mask": b["attention_mask"] * torch.tensor([[0], [1]])}
        for b in plain.batches()
    ],
    "single tokens": lambda: [{"input_ids": IDS.view(-1, 1)}],
}


@pytest.mark.parametrize("form", FORMS)
def test_batches_of_many_forms(form: str) -> None:
    model = plain.llama()
    (batch,) = plain.batches(1)
    keep = batch["attention_mask"].bool()
    with torch.no_grad():
        expected = model(**batch).logits[keep]
        las.convert(model, FORMS[form]())
        logits = model(**batch).logits[keep]
    assert 0 < (logits - expected).norm() < 1e-2 * expected.norm()
    assert model.las_report is not None


def test_batches_of_a_classifier_and_of_an_encoder_decoder() -> None:
    typed = {"token_type_ids": torch.zeros_like(IDS), "labels": torch.zeros(2, dtype=torch.int64)}
    las.convert(plain.make(BertForSequenceClassification), [b | typed for b in plain.batches()])
    options = dict(pad_token_id=0, decoder_start_token_id=0)
    for written in ({"labels": IDS}, {"decoder_input_ids": IDS[:, :9]}):
        model = plain.make(T5ForConditionalGeneration, **options)
        las.convert(model, [b | written for b in plain.batches()])


NO_MODEL: list[tuple[Any, str]] = [
    ("a/model", "'a/model' is no transformers model"),
    (None, "None is no transformers model"),
    (LlamaForCausalLM, "the class LlamaForCausalLM is no transformers model"),
    (nn.Linear(2, 2), "a Linear is no transformers model"),
    ([1], "a list is no transformers model"),
]


@pytest.mark.parametrize(("model", "message"), NO_MODEL)
def test_no_model_to_convert(model: Any, message: str, tmp_path: Path) -> None:
    batches = plain.batches()
    for verb in (
        lambda: las.convert(model, batches),
        lambda: calibrate(model, batches),
        lambda: las.load(model, tmp_path),
        lambda: prepare(model),
    ):
        with pytest.raises(UnsupportedModelError, match=message):
            verb()


@pytest.mark.parametrize("model", ["a/model", None, 3, LlamaForCausalLM, {}])
def test_no_model_to_run(model: Any, tmp_path: Path) -> None:
    for verb in (
        lambda: las.count_spikes(model).__enter__(),
        lambda: las.simulate(model).__enter__(),
        lambda: las.stop_after(model, 1).__enter__(),
        lambda: las.energy(model, None),
        lambda: las.save(model, tmp_path),
    ):
        with pytest.raises(LasError, match=r"las\.convert first"):
            verb()
    with pytest.raises(ValueError, match="model must be a Module, got"):
        audit(model)


def test_a_dense_model_where_a_spiking_one_is_wanted_and_the_reverse(tmp_path: Path) -> None:
    dense = plain.llama()
    spiking = las.convert(plain.llama(), plain.batches())
    with las.count_spikes(spiking) as spikes:
        spiking(**plain.batches(1)[0])
    las.save(spiking, tmp_path)
    for verb in (
        lambda: las.energy(dense, spikes),
        lambda: las.simulate(dense).__enter__(),
        lambda: las.stop_after(dense, 4).__enter__(),
        lambda: las.count_spikes(dense).__enter__(),
        lambda: las.save(dense, tmp_path),
    ):
        with pytest.raises(LasError, match=r"las\.convert first"):
            verb()
    for verb in (
        lambda: las.convert(spiking, plain.batches()),
        lambda: las.load(spiking, tmp_path),
        lambda: prepare_proved(spiking, plain.batches(1)[0]),
    ):
        with pytest.raises(UnsupportedModelError, match="spiking one already"):
            verb()
    for directory in (tmp_path, str(tmp_path)):
        assert is_spiking(las.load(copy.deepcopy(dense), directory))


@pytest.fixture(scope="module")
def spiking() -> nn.Module:
    return las.convert(plain.llama(), plain.batches(), las.SpikeConfig(time_steps=np.int64(8)))


@pytest.mark.parametrize("t", [0, 9, -1, 2.5, "4", None, True, [4], float("nan"), np.float32(4)])
def test_no_time_step(t: Any, spiking: nn.Module) -> None:
    wanted = r"^t, a time step of the model, must be a whole number, 1 to 8, got .*$"
    with pytest.raises(ValueError, match=wanted), las.stop_after(spiking, t):
        pass


@pytest.mark.parametrize("t", [4, np.int64(4), np.array(4), torch.tensor(4)])
def test_a_time_step_of_any_library(t: Any, spiking: nn.Module) -> None:
    (batch,) = plain.batches(1)
    with torch.no_grad(), las.count_spikes(spiking) as spikes, las.stop_after(spiking, t):
        fused = spiking(**batch).logits
        with las.simulate(spiking):
            simulated = spiking(**batch).logits
    assert torch.allclose(fused, simulated, atol=1e-3)
    assert {site.time_steps for site in spikes.sites.values()} == {4}


def test_wrong_arguments_of_the_energy(spiking: nn.Module) -> None:
    with las.count_spikes(spiking) as spikes:
        spiking(**plain.batches(1)[0])
    for tally in (None, {}, "spikes", spikes.to_dict()):
        with pytest.raises(ValueError, match=r"spikes must be a SpikeTally.*las\.count_spikes"):
            las.energy(spiking, tally)  # type: ignore[arg-type]
    for costs in ("paper", None, 0.9):
        with pytest.raises(ValueError, match=r"cost_model must be a CostModel.*'paper'"):
            las.energy(spiking, spikes, costs)  # type: ignore[arg-type]


@pytest.mark.parametrize("config", [{"time_steps": 8}, 16, "t16h5", las.SpikeConfig, False])
def test_no_config(config: Any) -> None:
    model = plain.bert()
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"config must be a SpikeConfig, got .*SpikeConfig\(\*\*"):
        las.convert(model, plain.batches(), config)
    assert_as_before(model, before)


def test_a_budget_for_an_unknown_function_is_refused_before_the_first_pass() -> None:
    def never() -> Iterator[Any]:
        raise AssertionError
        yield

    with pytest.raises(ValueError, match=r"unknown functions.*'sine'.*known"):
        las.convert(plain.bert(), never(), las.SpikeConfig(budgets={"sine": (0.1, 0.1)}))


def test_no_vision() -> None:
    with pytest.raises(ValueError, match="vision must be one of"):
        calibrate(plain.bert(), plain.batches(), "blind")  # type: ignore[arg-type]

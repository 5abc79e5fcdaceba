"""Random options, lengths, masks and forms of batches: a good model, or an error that says why."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import BatchEncoding, T5ForConditionalGeneration

import las
from las.errors import LasError
from tests.conversion.snapshot import assert_as_before, snapshot
from tests.tiny_models import plain

pytestmark = pytest.mark.slow

LONGEST = 40
CONFIGS: list[dict[str, Any]] = [
    {},
    {"time_steps": np.int64(12), "levels": 3, "bands": 3},
    {"rounding": "floor", "bands": 1, "margin": np.float32(4)},
    {"time_steps": 20, "levels": 1, "rounding": "half_step"},
    {"time_steps": 14, "levels": 16, "rounding": "signed"},
    {"budget": 1e-6},
]
WRONG_OPTIONS: list[tuple[str, Any]] = [
    ("time_steps", "16"),
    ("levels", 0),
    ("bands", True),
    ("margin", float("nan")),
    ("rounding", 1),
    ("budgets", {"exp": 1}),
    ("budget", -1),
]


def build(family: str) -> Any:
    if family == "t5":
        return plain.make(T5ForConditionalGeneration, pad_token_id=0, decoder_start_token_id=0)
    return plain.llama() if family == "llama" else plain.bert()


def written(family: str, ids: Tensor) -> dict[str, Tensor]:
    return {"decoder_input_ids": ids} if family == "t5" else {}


@cache
def pair(family: str, config: int) -> tuple[Any, Any]:
    """A model in float64 and its conversion."""
    batches = [b | written(family, b["input_ids"][:, :9]) for b in plain.batches()]
    spiking = las.convert(build(family), batches, las.SpikeConfig(**CONFIGS[config]))
    return build(family).double(), spiking.double()


FAMILIES = st.sampled_from(["llama", "bert", "t5"])


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Tensor]:
    """Ids, and a mask of any form or none; every row that is masked has a token left."""
    rows, length = draw(st.integers(0, 3)), draw(st.integers(0, LONGEST))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    ids = torch.randint(plain.VOCABULARY, (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    padding = draw(st.integers(0, max(0, length - 1)))
    side = draw(st.sampled_from(["none", "left", "right", "holes"]))
    if side == "left":
        mask[-1:, :padding] = 0
    elif side == "right" and padding:
        mask[-1:, -padding:] = 0
    elif side == "holes":
        mask = torch.randint(2, (rows, length), generator=generator)
        mask[:, :1] = 1
    form = draw(st.sampled_from(["none", "int", "bool", "float"]))
    if side == "none" and form == "none":
        return {"input_ids": ids}
    kind = {"bool": torch.bool, "float": torch.float32}.get(form, torch.int64)
    return {"input_ids": ids, "attention_mask": mask.to(kind)}


def run(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Any]:
    with torch.no_grad(), las.count_spikes(model) as spikes:
        output = model(**batch)[0]
    return output, {name: site.spikes for name, site in spikes.sites.items() if site.spikes}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    family=FAMILIES,
    config=st.integers(0, len(CONFIGS) - 1),
    batch=texts(),
    length=st.integers(0, 9),
    stop=st.integers(8, 12),
)
def test_a_pass_is_that_of_the_original_and_of_the_simulator(
    family: str, config: int, batch: dict[str, Tensor], length: int, stop: int
) -> None:
    dense, spiking = pair(family, config)
    batch = batch | written(family, batch["input_ids"][:, :length])
    try:
        with torch.no_grad():
            expected = dense(**batch)[0]
    except Exception:
        return  # what the original does not do either
    output, spikes = run(spiking, batch)
    with las.simulate(spiking):
        simulated, simulated_spikes = run(spiking, batch)
    mask = batch.get("attention_mask")
    keep = torch.ones(output.shape[:2]) if mask is None or family == "t5" else mask
    assert output.shape == expected.shape
    assert torch.isfinite(output[keep.bool()]).all()
    error = (output - expected)[keep.bool()].norm()
    assert error <= 3e-2 * expected[keep.bool()].norm()
    assert torch.allclose(output[keep.bool()], simulated[keep.bool()], rtol=0, atol=1e-9)
    assert spikes.keys() == simulated_spikes.keys()
    for name, count in spikes.items():  # two scores that tie are apart by how they were summed up
        tied = 2 + count // 1000 if ".softmax." in name else 0
        assert abs(count - simulated_spikes[name]) <= tied, name
    with las.stop_after(spiking, stop):
        stopped, _ = run(spiking, batch)
    assert torch.isfinite(stopped[keep.bool()]).all()


def spoiled(draw: st.DrawFn, batch: dict[str, Tensor]) -> Any:
    """A batch in another form: a fine one, or a wrong one."""
    ids = batch["input_ids"]
    forms: dict[str, Any] = {
        "same": batch,
        "encoding": BatchEncoding(batch),
        "list": {name: x.tolist() for name, x in batch.items()},
        "array": {name: x.numpy() for name, x in batch.items()},
        "tensor": ids,
        "tuple": tuple(batch.values()),
        "flat": {name: x.flatten() for name, x in batch.items()},
        "float": batch | {"input_ids": ids.float()},
        "strange": batch | {"input_ids": ids + 50},
        "negative": batch | {"input_ids": ids - 1},
        "short mask": batch | {"attention_mask": torch.ones(len(ids), ids.shape[1] + 1)},
        "more rows": batch | {"attention_mask": torch.ones(len(ids) + 1, ids.shape[1])},
        "masked": batch | {"attention_mask": torch.zeros_like(ids)},
        "positions": batch | {"position_ids": torch.arange(ids.shape[1])[None]},
        "far": batch | {"position_ids": torch.full((1, ids.shape[1]), 10**6)},
        "types": batch | {"token_type_ids": torch.zeros_like(ids)},
        "more types": batch | {"token_type_ids": torch.full_like(ids, 7)},
        "labels": batch | {"labels": ids},
        "labels alone": {"labels": ids},
        "text": "a text",
        "none": None,
    }
    return forms[draw(st.sampled_from(sorted(forms)))]


@st.composite
def calibration(draw: st.DrawFn) -> Any:
    """Batches, one of them perhaps spoiled."""
    batches: list[Any] = draw(st.lists(texts(), max_size=3))
    if batches:
        place = draw(st.integers(0, len(batches) - 1))
        batches[place] = spoiled(draw, batches[place])
    return batches + draw(st.sampled_from([[], plain.batches()]))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    family=FAMILIES,
    batches=calibration(),
    held=st.sampled_from([list, tuple, iter]),
    config=st.integers(0, len(CONFIGS) - 1),
    wrong=st.none() | st.sampled_from(WRONG_OPTIONS),
    verify=st.booleans(),
)
def test_a_conversion_is_a_good_one_or_an_error(
    family: str, batches: Any, held: Any, config: int, wrong: Any, verify: bool
) -> None:
    model = build(family)
    for batch in batches:
        if isinstance(batch, dict) and isinstance(batch.get("input_ids"), Tensor):
            batch.update(written(family, batch["input_ids"][..., :9]))
    before = snapshot(model)
    options = CONFIGS[config] | ({} if wrong is None else dict([wrong]))
    try:
        las.convert(model, held(batches), las.SpikeConfig(**options), verify=verify)
    except (LasError, ValueError) as error:
        assert "\n" not in str(error)
        assert_as_before(model, before)
        return
    assert wrong is None
    assert torch.isfinite(snapshot(model)[2]).all()
    if verify:
        assert model.las_report.structure_error < 1e-3

"""Options, dtypes, lengths, masks and forms of batches, drawn at random, on three families.

More of it, and other draws each time:
pytest tests/conversion/test_fuzz.py -m slow --hypothesis-profile=fuzz
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import BatchEncoding, BertForMaskedLM, T5ForConditionalGeneration

import las
from las.errors import CalibrationError, LasError
from las.neurons.tally import SpikeTally
from tests.conversion.snapshot import assert_as_before, snapshot
from tests.tiny_models import plain

pytestmark = pytest.mark.slow

FAMILIES: dict[str, Callable[[], Any]] = {
    "decoder": lambda: plain.llama(max_position_embeddings=96),
    "encoder": lambda: plain.make(BertForMaskedLM, max_position_embeddings=96),
    "encoder and decoder": lambda: plain.make(T5ForConditionalGeneration, initializer_factor=1.0),
}
LONG = settings.get_current_profile_name() == "fuzz"
FUZZ = settings(
    max_examples=200 if LONG else 4,
    deadline=None,
    derandomize=not LONG,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LONGEST = 96
FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "a dict": dict,
    "what a tokenizer returns": BatchEncoding,
    "token ids alone": lambda batch: {
        name: value for name, value in batch.items() if "mask" not in name
    },
    "32-bit numbers": lambda batch: {name: value.int() for name, value in batch.items()},
    "views": lambda batch: {name: value.t().contiguous().t() for name, value in batch.items()},
}
CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "a list": list,
    "a tuple": tuple,
    "a generator": lambda batches: (one for one in batches),
    "a data loader": lambda batches: torch.utils.data.DataLoader(batches, batch_size=None),
}
NUMBERS = [int, np.int64, lambda n: torch.tensor(n)]


@st.composite
def configs(draw: st.DrawFn) -> las.SpikeConfig:
    rule = draw(st.sampled_from(["error", "error", "percentile", "paper", "released"]))
    number = draw(st.sampled_from(NUMBERS))
    if rule == "error" and draw(st.integers(0, 3)) == 0:
        return las.SpikeConfig(
            time_steps=number(draw(st.integers(1, 32))),
            levels=number(draw(st.integers(1, 16))),
            margin=draw(st.floats(1, 8)),
            budget=10 ** draw(st.floats(-9, 2)),
        )
    return las.SpikeConfig(
        time_steps=number(draw(st.integers(1, 32))),
        levels=number(draw(st.integers(1, 16))),
        bands=number(draw(st.integers(1, 8)) if rule == "error" else 2),
        rounding=draw(st.sampled_from(["nearest", "half_step", "floor", "signed"])),
        threshold_rule=rule,
        attention=draw(st.sampled_from(["equivalent", "equivalent", "naive"])),
        margin=draw(st.floats(1, 8)),
    )


@st.composite
def masks(draw: st.DrawFn, rows: int, length: int) -> Tensor:
    """Ones, padding on either side, holes, rows that are nothing but padding."""
    mask = torch.ones(rows, length, dtype=torch.int64)
    for row in range(rows):
        kind = draw(st.sampled_from(["whole", "right", "left", "holes", "nothing"]))
        hidden = draw(st.integers(0, length))
        if kind == "right":
            mask[row, length - hidden :] = 0
        elif kind == "left":
            mask[row, :hidden] = 0
        elif kind == "holes":
            mask[row, :: draw(st.integers(1, 5))] = 0
        elif kind == "nothing":
            mask[row] = 0
    return mask


@st.composite
def batches(draw: st.DrawFn, family: str) -> dict[str, Tensor]:
    rows = draw(st.integers(0, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def tokens() -> tuple[Tensor, Tensor]:
        length = draw(st.one_of(st.integers(0, 12), st.integers(0, LONGEST)))
        ids = torch.zeros(rows, length, dtype=torch.int64)
        for row in ids:  # each token once: of equal ones the last bit says which has the maximum
            row[:] = 1 + torch.randperm(plain.VOCABULARY - 1, generator=generator)[:length]
        mask = draw(masks(rows, length))
        return torch.where(mask.bool(), ids, 0), mask

    ids, mask = tokens()
    batch = {"input_ids": ids, "attention_mask": mask}
    if family == "encoder and decoder":
        written, seen = tokens()
        batch |= {"decoder_input_ids": written, "decoder_attention_mask": seen}
    return batch


def calibration(family: str) -> list[dict[str, Tensor]]:
    texts = plain.batches()
    if family != "encoder and decoder":
        return texts
    return [batch | {"decoder_input_ids": batch["input_ids"]} for batch in texts]


def runs(model: Any, batch: Any) -> bool:
    """Whether the original takes a batch: some models refuse those without a text or a token."""
    try:
        outputs(model, batch)
    except (RuntimeError, IndexError):
        return False
    return True


def outputs(model: Any, batch: Any) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model(**batch)[0]
    return logits


def error(value: Tensor, exact: Tensor) -> float:
    return float((value - exact).norm() / exact.norm().clamp(min=1e-6))


def said(batch: dict[str, Tensor]) -> Tensor:
    """Which outputs have a meaning, (rows, length): those of tokens, of texts that have some."""
    mask = batch["attention_mask"]
    written = batch.get("decoder_attention_mask", mask)
    return (written * mask.any(1)[:, None]).bool()


def assert_alike(simulated: SpikeTally, tally: SpikeTally) -> None:
    """Spike for spike, but for inputs on a threshold.

    Products that the simulator adds up step by step differ in their last bit; at many time steps,
    some are that close to a threshold.
    """
    assert simulated.sites.keys() == tally.sites.keys()
    for name, site in tally.sites.items():
        other = simulated.sites[name]
        assert replace(other, spikes=site.spikes) == site
        assert abs(other.spikes - site.spikes) <= 3 + 1e-4 * site.spikes


@pytest.fixture(autouse=True)
def default_dtype() -> Iterator[None]:
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("family", FAMILIES)
@FUZZ
@given(data=st.data())
def test_a_conversion_gives_a_sound_model_or_one_clear_error(family: str, data: Any) -> None:
    dtype = data.draw(
        st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]), "dtype"
    )
    torch.set_default_dtype(data.draw(st.sampled_from([torch.float32, torch.float64]), "default"))
    original = FAMILIES[family]().to(dtype)
    config = data.draw(configs(), "config")
    given_batches = [
        FORMS[data.draw(st.sampled_from(sorted(FORMS)), "form")](data.draw(batches(family)))
        for _ in range(data.draw(st.integers(0, 3), "calibration batches"))
    ]
    container = CONTAINERS[data.draw(st.sampled_from(sorted(CONTAINERS)), "container")]
    model = copy.deepcopy(original)
    before = snapshot(model)
    try:
        las.convert(model, container(given_batches), config)
    except (CalibrationError, ValueError) as refusal:
        assert "\n" not in str(refusal)
        assert_as_before(model, before)
        return

    batch = data.draw(batches(family).filter(lambda one: runs(original, one)), "batch")
    exact, spiking = outputs(original, batch), outputs(model, batch)
    assert spiking.dtype == exact.dtype
    assert spiking.shape == exact.shape
    assert torch.isfinite(spiking[torch.isfinite(exact)]).all()
    with las.count_spikes(model) as tally:
        assert torch.equal(outputs(model, batch), spiking)
    tokens = sum(int(value.sum()) for name, value in batch.items() if name.endswith("mask"))
    assert tally.tokens == tokens
    for site in tally.sites.values():
        assert 0 <= site.out_of_range <= site.activations
        assert 0 <= site.spikes <= site.activations * site.time_steps

    wide, exact = model.double(), outputs(original.double(), batch)
    value, meant = outputs(wide, batch), said(batch)
    with las.simulate(wide), las.count_spikes(wide) as simulated:
        assert error(outputs(wide, batch), value) < 1e-9
    with las.count_spikes(wide) as tally:
        outputs(wide, batch)
    assert_alike(simulated, tally)
    if config.threshold_rule == "error" and config.time_steps >= 16 and config.bands > 1:
        assert error(value[meant], exact[meant]) < 0.05


@pytest.mark.parametrize("family", FAMILIES)
@FUZZ
@given(data=st.data())
def test_what_is_saved_comes_back(family: str, data: Any, tmp_path_factory: Any) -> None:
    model, original = FAMILIES[family](), FAMILIES[family]()
    las.convert(model, calibration(family), data.draw(configs(), "config"))
    batch = data.draw(batches(family).filter(lambda one: runs(original, one)), "batch")
    value = outputs(model, batch)
    place = tmp_path_factory.mktemp("adapter") / "adapter"
    las.save(model, place)
    assert torch.equal(outputs(las.load(original, place), batch), value)
    with las.stop_after(model, 1):
        outputs(model, batch)
    assert torch.equal(outputs(model, batch), value)
    wrong = Path(place) / "nothing"
    with pytest.raises((LasError, OSError)):
        las.load(FAMILIES[family](), wrong)

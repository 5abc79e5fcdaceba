"""Models converted without a part of the method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import las
from las.conversion.checkpoint import converted_in
from las.conversion.state import SpikingState
from tests.tiny_models import plain

NAIVE = las.SpikeConfig(attention="naive")
FLAT = las.SpikeConfig(functions="flat")


def run(model: nn.Module) -> Tensor:
    (batch,) = plain.batches(1)
    with torch.no_grad():
        output: Tensor = model(**batch)[0]
    return output


def error(model: nn.Module, original: nn.Module) -> float:
    expected = run(original)
    return float((run(model) - expected).norm() / expected.norm())


@pytest.mark.parametrize("make", [plain.llama, plain.bert])
@pytest.mark.parametrize("t", [16, 3])
def test_both_paths_of_naive_attention_agree(make: Any, t: int) -> None:
    model = las.convert(make(), plain.batches(), NAIVE).double()
    with las.stop_after(model, t):
        with las.count_spikes(model) as fused:
            value = run(model)
        with las.simulate(model), las.count_spikes(model) as simulated:
            other = run(model)
    assert torch.allclose(value, other, rtol=0, atol=1e-10 * value.abs().max().item())
    assert fused.sites == simulated.sites


@pytest.mark.parametrize("simulated", [False, True])
def test_every_time_step_of_earlier_tokens_is_in_the_cache(simulated: bool) -> None:
    """Token by token the same as at once."""
    model: Any = las.convert(plain.llama(), plain.batches(), NAIVE).double()
    ids = plain.batches(1)[0]["input_ids"][:, :6]
    with torch.no_grad():
        whole = model(ids).logits
        if simulated:
            with las.simulate(model):
                first = model(ids[:, :4], use_cache=True)
                rest = model(ids[:, 4:], past_key_values=first.past_key_values)
        else:
            first = model(ids[:, :4], use_cache=True)
            rest = model(ids[:, 4:], past_key_values=first.past_key_values)
    parts = torch.cat([first.logits, rest.logits], dim=1)
    assert torch.allclose(parts, whole, rtol=0, atol=1e-10 * whole.abs().max().item())


def test_it_is_saved_with_the_model(tmp_path: Path) -> None:
    model = las.convert(plain.llama(), plain.batches(), NAIVE)
    las.save(model, tmp_path)
    loaded = las.load(plain.llama(), tmp_path)
    assert converted_in(loaded)[1].config == NAIVE
    assert torch.equal(run(loaded), run(model))
    assert error(loaded, plain.llama()) > 10 * error(
        las.convert(plain.llama(), plain.batches()), plain.llama()
    )


@pytest.mark.parametrize("make", [plain.llama, plain.bert])
def test_one_fs_neuron_for_a_function_loses_what_the_hierarchy_saves(
    make: Any, tmp_path: Path
) -> None:
    model = las.convert(make(), plain.batches(), FLAT)
    functions = converted_in(model)[1].functions
    assert functions
    assert {neuron.size for neuron in functions.values()} == {1}
    assert error(model, make()) > 100 * error(las.convert(make(), plain.batches()), make())
    las.save(model, tmp_path)
    assert converted_in(las.load(make(), tmp_path))[1].config == FLAT
    model = model.double()
    with las.count_spikes(model) as fused:
        value = run(model)
    with las.simulate(model), las.count_spikes(model) as simulated:
        other = run(model)
    assert torch.allclose(value, other, rtol=0, atol=1e-10 * value.abs().max().item())
    assert fused.sites == simulated.sites


def test_adapters_of_the_whole_method_are_as_they_were_before_there_was_a_choice() -> None:
    data, _ = converted_in(las.convert(plain.llama(), plain.batches(2)))[1].pack()
    assert "functions" not in data["config"]
    assert not any(
        "start" in side
        for one in data["functions"].values()
        for side in one.values()
        if isinstance(side, dict)
    )


def test_adapters_from_before_there_was_a_choice_are_equivalent() -> None:
    state = converted_in(las.convert(plain.llama(), plain.batches(2)))[1]
    data, arrays = state.pack()
    del data["config"]["attention"]
    assert SpikingState.unpack(data, arrays).config == las.SpikeConfig()


def test_one_band_loses_more_than_two_and_eight_lose_less() -> None:
    """At H = 1 and T = 8, where codes are short enough for it to matter."""
    errors = [
        error(
            las.convert(
                plain.llama(), plain.batches(), las.SpikeConfig(time_steps=8, levels=1, bands=bands)
            ),
            plain.llama(),
        )
        for bands in (1, 2, 8)
    ]
    assert errors[0] > errors[1] > errors[2]

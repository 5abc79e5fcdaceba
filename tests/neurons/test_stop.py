"""Neurons that are stopped after t of their T time steps: what they have fired until then."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from las.neurons import HG, OAT, Octaves, code_hg, code_oat, fused, hg, oat
from tests.neurons.test_fused import close, digits, hgs, inputs, oats, simulated

EXAMPLES = settings(max_examples=25, deadline=None)


def read_off(code, x: float, neuron: OAT | HG) -> list[float]:
    """The value after each of the T steps."""
    alone = torch.tensor([x], dtype=torch.float64)
    steps = range(1, neuron.time_steps + 1)
    return [code(alone, neuron, stop=t).value.item() for t in steps]


class TestHandWorkedTraces:
    # tau = 16, T = 4: theta = 8, 4, 2, 1. H = 1: a step fires theta(t) or nothing.

    def test_floor(self) -> None:
        # 11.7 fires 8; 3.7 < 4; 3.7 fires 2; 1.7 fires 1.
        neuron = OAT((16.0,), (), 4, 1, "floor")
        assert read_off(code_oat, 11.7, neuron) == [8, 8, 10, 11]
        assert read_off(code_oat, -11.7, neuron) == [-8, -8, -10, -11]

    def test_nearest_keeps_the_thresholds_of_all_its_steps(self) -> None:
        # Half of theta(4) lower: 7.5, 3.5, 1.5, 0.5. 11.7 fires 8; 3.7 fires 4; -0.3 is silent.
        # With T = 1 its own step would be the last one, and lower by half of 8.
        neuron = OAT((16.0,), (), 4, 1, "nearest")
        assert read_off(code_oat, 11.7, neuron) == [8, 12, 12, 12]
        assert read_off(code_oat, 5.0, neuron) == [0, 4, 4, 5]
        assert read_off(code_oat, 5.0, OAT((16.0,), (), 1, 1, "nearest")) == [8]

    def test_signed_goes_beyond_before_it_comes_back(self) -> None:
        # 6.3 fires 8; -1.7 is silent at 4 and fires -2; 0.3 is silent. 7 fires 8 and -1.
        neuron = OAT((16.0,), (), 4, 1, "signed")
        assert read_off(code_oat, 6.3, neuron) == [8, 8, 6, 6]
        assert read_off(code_oat, -7.0, neuron) == [-8, -8, -8, -7]

    def test_signed_keeps_the_thresholds_of_all_its_steps(self) -> None:
        # 0.75 theta(t) at every step: what is fired at a step does not depend on those after it.
        longer, shorter = (OAT((16.0,), (), steps, 1, "signed") for steps in (9, 4))
        assert read_off(code_oat, 5.0, longer)[:4] == read_off(code_oat, 5.0, shorter)

    def test_every_band_has_its_own_first_step(self) -> None:
        # Bands of tau 2 and 16 with H = 1: 1.6 fires 1, 0.5; 11 fires 8 and no 4.
        neuron = OAT((2.0, 16.0), (4.0,), 4, 1, "floor")
        assert read_off(code_oat, 1.6, neuron)[:2] == [1, 1.5]
        assert read_off(code_oat, 11.0, neuron)[:2] == [8, 8]

    def test_an_hg_neuron_gives_the_offset_and_then_binary_digits(self) -> None:
        # [1, 2) has f = 10 + 4 (x - 1); 1.625 - 1 is 0.101 in binary.
        neuron = HG("silu", 4, None, Octaves(0, (0,)), *np.array([[0, 10.0], [1, 4]]), 0.0, 2.0)
        assert read_off(code_hg, 1.625, neuron) == [10, 12, 12, 12.5]


@EXAMPLES
@given(st.data(), st.sampled_from([torch.float32, torch.float64]), oats())
def test_oat_neurons_stop_alike_on_both_paths(data, dtype: torch.dtype, neuron: OAT) -> None:
    x = data.draw(inputs(dtype, neuron))
    stop = data.draw(st.integers(1, neuron.time_steps))
    value, counts = simulated(islice(oat.spike_train(x, neuron), stop))
    coded = code_oat(x, neuron, count=True, stop=stop)
    assert coded.counts is not None
    assert close(coded.value, value, 0)
    assert torch.equal(coded.counts.long(), counts)
    assert coded.packed is not None
    assert torch.equal(coded.packed.long() >> 8, digits(x, neuron, stop))


@EXAMPLES
@given(st.data(), hgs(most_steps=25), st.sampled_from([torch.float32, torch.float64]))
def test_hg_neurons_stop_alike_on_both_paths(data, neuron: HG, dtype: torch.dtype) -> None:
    x = data.draw(inputs(dtype, neuron))
    stop = data.draw(st.integers(1, neuron.time_steps))
    value, counts = simulated(islice(hg.spike_train(x, neuron), stop))
    coded = code_hg(x, neuron, count=True, stop=stop)
    assert coded.counts is not None
    assert close(coded.value, value, 1.0)
    assert torch.equal(coded.counts.long(), counts)


NEURONS = [
    (code_oat, OAT((1.0, 30.0), (0.8,))),
    (code_oat, OAT((1.0, 30.0), (0.8,), 16, 16, "signed")),
    (code_hg, HG("silu", 16, None, Octaves(-1, (0, 1)), np.ones(4), np.ones(4), 0.0, 2.0)),
]


@pytest.mark.parametrize(("code", "neuron"), NEURONS)
class TestBothPopulations:
    def test_after_the_last_step_nothing_is_missing(self, code, neuron) -> None:
        x = torch.randn(500).abs()
        stopped, whole = code(x, neuron, count=True, stop=16), code(x, neuron, count=True)
        assert torch.equal(stopped.value, whole.value)
        assert stopped.spikes == whole.spikes

    def test_there_is_no_step_after_the_last_one(self, code, neuron, monkeypatch) -> None:
        x = torch.randn(500).abs()
        whole = code(x, neuron, count=True)
        for kernels in (True, False):
            monkeypatch.setattr(fused, "has_kernels", lambda x, there=kernels: there)
            stopped, same = (code(x, neuron, count=True, stop=stop) for stop in (20, None))
            assert torch.equal(stopped.value, same.value)
            assert torch.equal(stopped.counts, whole.counts)

    def test_no_spike_is_taken_back(self, code, neuron) -> None:
        x = torch.randn(500).abs()
        counts = [code(x, neuron, count=True, stop=t).counts for t in range(1, 17)]
        for fewer, more in pairwise(counts):
            assert ((more - fewer == 0) | (more - fewer == 1)).all()

    def test_without_kernels_it_is_the_same(self, code, neuron, monkeypatch) -> None:
        x = torch.randn(500).abs()
        expected = code(x, neuron, count=True, stop=5)
        monkeypatch.setattr(fused, "has_kernels", lambda x: False)
        coded = code(x, neuron, count=True, stop=5)
        assert torch.allclose(coded.value, expected.value, rtol=1e-6)
        assert torch.equal(coded.counts, expected.counts)


def test_each_step_halves_what_may_be_missing_of_a_value() -> None:
    """H = 1, "floor": after t steps less than theta(t) is left."""
    x = torch.rand(500, dtype=torch.float64) * 15
    neuron = OAT((16.0,), (), 10, 1, "floor")
    for t in range(1, 11):
        left = x - code_oat(x, neuron, stop=t).value
        assert ((left >= 0) & (left < 16.0 * 2.0**-t)).all()

"""Two paths, one truth: the fused path against the step simulator, spike for spike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from las.neurons import HG, OAT, Octaves, code_hg, code_oat, hg, oat
from las.neurons.encoding import Firing
from tests.neurons.signed_digits import fewest_digits

EXAMPLES = settings(max_examples=25, deadline=None)
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}  # of the largest value that is coded


@st.composite
def oats(draw: st.DrawFn) -> OAT:
    bands = draw(st.integers(1, 4))
    ratios = draw(st.lists(st.floats(1.1, 100), min_size=bands, max_size=bands))
    taus = tuple(np.cumprod([draw(st.floats(1e-3, 10)), *ratios[1:]]).tolist())
    factor = draw(st.floats(0.5, 2))
    return OAT(
        taus,
        tuple(factor * tau for tau in taus[:-1]),
        draw(st.integers(1, 32)),
        draw(st.integers(1, 16)),
        draw(st.sampled_from(["nearest", "half_step", "floor", "signed"])),
    )


SIDES = st.builds(
    Octaves,
    st.integers(-12, 4),
    st.lists(st.integers(0, 5), max_size=8).map(tuple),
    st.booleans(),
)


@st.composite
def hgs(draw: st.DrawFn, most_steps: int = 32) -> HG:
    sides = draw(
        st.one_of(st.tuples(SIDES, SIDES), st.tuples(SIDES, st.none()), st.tuples(st.none(), SIDES))
    )
    size = sum(1 + sum(2**split for split in side.splits) for side in sides if side is not None)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return HG(
        "silu",
        draw(st.integers(1, most_steps)),
        *sides,
        rng.uniform(0.5, 1, size),
        rng.uniform(0.5, 1, size),  # no weighted spike is zero, so that none is missed below
        -draw(st.floats(0.1, 100)),
        draw(st.floats(0.1, 100)),
    )


@st.composite
def inputs(draw: st.DrawFn, dtype: torch.dtype, neuron: OAT | HG) -> Tensor:
    """Values of all sizes, the borders of the neuron among them, in tensors of all shapes."""
    shape = draw(st.sampled_from([(), (0,), (1,), (7, 3), (2, 0, 3), (1100,), (3, 5, 7, 2)]))
    count = int(np.prod(shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.standard_normal(count) * np.exp(rng.uniform(-12, 8, count))
    if isinstance(neuron, OAT):
        borders = [*neuron.gates, *neuron.taus, neuron.largest, 1.01 * neuron.largest, np.nan]
    else:
        borders = [neuron.low, neuron.high, *(neuron.left + neuron.width)]
    special = np.array([0.0, -0.0, 1e30, -1e30, 1e-40, -1e-40, 1e-310, np.inf, -np.inf, *borders])
    chosen = rng.random(count) < 0.2
    values[chosen] = rng.choice(special, chosen.sum()) * rng.choice([-1, 1], chosen.sum())
    return torch.from_numpy(np.asarray(values).reshape(shape)).to(dtype)


def simulated(train: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """What a spike train adds up to, and the number of its spikes; what is no number is none."""
    weighted = torch.stack(list(train))
    return weighted.sum(0), (weighted.abs() > 0).sum(0)


def digits(x: Tensor, neuron: OAT, stop: int | None = None) -> Tensor:
    """Signed binary digits of the levels that each input fires, looked up spike by spike."""
    least = torch.tensor([fewest_digits(level) for level in range(32)])
    found = torch.zeros(x.shape, dtype=torch.int64)
    for t, weighted in enumerate(islice(oat.spike_train(x, neuron), stop), 1):
        fired = weighted.abs() > 0
        found[fired] += least[oat.levels_of(weighted, t, x, neuron)[fired].long()]
    return found


def close(a: Tensor, b: Tensor, largest: float) -> bool:
    """Relative to each value, and to the largest one."""
    tolerance = TOLERANCE[a.dtype]
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance * largest, equal_nan=True)


@EXAMPLES
@given(st.data(), st.sampled_from([torch.float32, torch.float64]), oats())
def test_oat_neurons(data: st.DataObject, dtype: torch.dtype, neuron: OAT) -> None:
    x = data.draw(inputs(dtype, neuron))
    value, counts = simulated(oat.spike_train(x, neuron))
    coded = code_oat(x, neuron, count=True)
    assert coded.counts is not None and coded.packed is not None
    assert (coded.value.shape, coded.value.dtype, coded.counts.shape) == (x.shape, dtype, x.shape)
    assert close(coded.value, value, 0)  # relative to each value
    assert torch.equal(coded.counts.long(), counts)
    assert torch.equal(coded.packed.long() >> 8, digits(x, neuron))
    assert coded.firing == Firing.of(coded.packed)
    assert coded.out_of_range == int((x.abs().double() > neuron.largest).sum())


@EXAMPLES
@given(st.data(), hgs())
def test_hg_neurons_in_float64(data: st.DataObject, neuron: HG) -> None:
    """The error is relative to the weights, as offset and slope may cancel in a single value."""
    x = data.draw(inputs(torch.float64, neuron))
    value, counts = simulated(hg.spike_train(x, neuron))
    coded = code_hg(x, neuron, count=True)
    assert coded.counts is not None
    assert (coded.value.shape, coded.value.dtype, coded.counts.shape) == (x.shape, x.dtype, x.shape)
    assert close(coded.value, value, 1.0)
    assert torch.equal(coded.counts.long(), counts)
    outside = (x < neuron.low) & (x != -torch.inf) | (x > neuron.high)
    assert coded.out_of_range == int(outside.sum())


@EXAMPLES
@given(st.data(), hgs(most_steps=25))
def test_hg_neurons_in_float32(data: st.DataObject, neuron: HG) -> None:
    x = data.draw(inputs(torch.float32, neuron))
    value, counts = simulated(hg.spike_train(x, neuron))
    coded = code_hg(x, neuron, count=True)
    assert coded.counts is not None
    assert close(coded.value, value, 1.0)
    assert torch.equal(coded.counts.long(), counts)


OAT_NEURON = OAT((1.0, 30.0), (0.8,))
SIGNED = OAT((1.0, 30.0), (0.8,), 16, 5, "signed")
HG_NEURON = HG(
    "silu",
    16,
    Octaves(-1, (0, 1), silent_beyond=True),
    Octaves(-1, (0, 1)),
    np.linspace(1, 2, 8),
    np.linspace(0.5, 1, 8),
    -2.0,
    2.0,
)


@pytest.mark.parametrize(
    ("code", "neuron"), [(code_oat, OAT_NEURON), (code_oat, SIGNED), (code_hg, HG_NEURON)]
)
class TestBothPopulations:
    def test_tensors_in_any_memory_layout(self, code, neuron) -> None:
        x = torch.randn(6, 8, 10, dtype=torch.float64)
        whole = code(x, neuron, count=True)
        for view in (
            lambda a: a.mT,
            lambda a: a[:, ::2],
            lambda a: a[1:2].expand(4, 8, 10),
            lambda a: a.permute(2, 0, 1),
        ):
            coded = code(view(x), neuron, count=True)
            assert torch.equal(coded.value, view(whole.value))
            assert torch.equal(coded.counts, view(whole.counts))

    def test_the_input_is_left_as_it_was(self, code, neuron) -> None:
        x = torch.randn(100)
        before = x.clone()
        code(x, neuron, count=True)
        assert torch.equal(x, before)

    def test_large_tensors_are_coded_like_their_parts(self, code, neuron) -> None:
        x = torch.randn(5000) * 3
        whole = code(x, neuron, count=True)
        parts = [code(part, neuron, count=True) for part in x.split(333)]
        assert torch.equal(whole.value, torch.cat([part.value for part in parts]))
        assert torch.equal(whole.counts, torch.cat([part.counts for part in parts]))
        assert whole.out_of_range == sum(part.out_of_range for part in parts)

    def test_half_precision_is_computed_in_float32_and_rounded_at_the_end(
        self, code, neuron
    ) -> None:
        for dtype in (torch.bfloat16, torch.float16):
            x = (torch.randn(50, 7) * 2).to(dtype)
            coded, wide = code(x, neuron, count=True), code(x.float(), neuron, count=True)
            assert coded.value.dtype == dtype
            assert torch.allclose(coded.value.float(), wide.value, rtol=2e-2, atol=1e-6)
            assert torch.equal(coded.counts, wide.counts)
            assert coded.out_of_range == wide.out_of_range

    def test_threads_do_not_change_the_result(self, code, neuron) -> None:
        x = torch.randn(2**16 + 3) * 3
        alone = code(x, neuron, count=True)
        torch.set_num_threads(2)
        together = code(x, neuron, count=True)
        assert torch.equal(alone.value, together.value)
        assert torch.equal(alone.counts, together.counts)
        assert (alone.spikes, alone.out_of_range) == (together.spikes, together.out_of_range)

    def test_the_number_of_spikes_is_the_sum_of_the_counts(self, code, neuron) -> None:
        for x in (torch.randn(3000), torch.randn(40).bfloat16(), torch.zeros(2000), torch.ones(0)):
            coded = code(x, neuron, count=True)
            assert coded.spikes == int(coded.counts.sum(dtype=torch.int64))

    def test_not_a_number_stays_not_a_number(self, code, neuron) -> None:
        for others in (0.0, 1.0):
            x = torch.tensor([others, torch.nan, others])
            assert code(x, neuron).value.isnan().tolist() == [False, True, False]

    def test_nothing_is_counted_unless_asked_for(self, code, neuron) -> None:
        assert code(torch.randn(10), neuron).counts is None

    def test_gradients_are_not_tracked(self, code, neuron) -> None:
        assert not code(torch.randn(10, requires_grad=True), neuron).value.requires_grad


def test_zero_emits_nothing_and_keeps_its_sign() -> None:
    x = torch.tensor([0.0, -0.0, 1.0])
    for neuron in (OAT_NEURON, SIGNED, OAT((1.0,), (), 4, 3, "half_step")):
        coded = code_oat(x, neuron, count=True)
        assert coded.counts is not None
        assert coded.counts[:2].tolist() == [0, 0]
        assert coded.value[:2].tolist() == [0, 0]
        assert torch.signbit(coded.value).tolist() == [False, True, False]


def test_minus_infinity_is_silent_and_counts_as_masked_not_as_out_of_range() -> None:
    x = torch.tensor([-torch.inf, -5.0, 1.0])
    for dtype in (torch.float32, torch.bfloat16):
        coded = code_hg(x.to(dtype), HG_NEURON, count=True)
        assert coded.counts is not None
        assert coded.value[:2].tolist() == [0, 0]
        assert coded.counts[:2].tolist() == [0, 0]
        assert coded.out_of_range == 1


@pytest.mark.parametrize("steps", [24, 25, 26, 32])
def test_hg_neurons_count_alike_where_a_sub_range_is_exhausted(steps: int) -> None:
    """Beyond the last octave, and just below zero, all T steps fire; in float32 as well."""
    neuron = HG("silu", steps, Octaves(0), Octaves(0), np.ones(2), np.ones(2), -1.0, 1.0)
    x = torch.tensor([5.0, -1e-30, 0.5])
    value, counts = simulated(hg.spike_train(x, neuron))
    coded = code_hg(x, neuron, count=True)
    assert coded.counts is not None
    assert close(coded.value, value, 1.0)
    assert coded.counts.tolist() == counts.tolist() == [steps, steps, 2]


def test_hg_spikes_of_weight_zero_are_not_emitted() -> None:
    offset, slope = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    neuron = HG("relu", 8, None, Octaves(0, (1,)), offset, slope, 0.0, 2.0)
    x = torch.tensor([0.75, 1.2, 1.7, 0.0])  # 0.75 = 0.11 in binary: two steps beside the first
    _, counts = simulated(hg.spike_train(x, neuron))
    coded = code_hg(x, neuron, count=True)
    assert coded.counts is not None
    assert coded.counts.tolist() == counts.tolist() == [2, 1, 0, 0]

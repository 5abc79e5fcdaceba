from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from las.components.saa import (
    multiply_same_steps,
    multiply_steps,
    one_by_one,
    side_by_side,
)
from las.components.site import accumulate
from las.neurons import OAT, oat

EXAMPLES = settings(max_examples=30, deadline=None)
A = OAT((2.5, 40.0), (3.0,), 10, 5)
B = OAT((1.0, 8.0), (0.9,), 10, 3, "floor")


def is_spike_tensor(x: Tensor, neuron: OAT) -> bool:
    """Every value is zero or a level that one and the same time step fires, in any band."""
    nonzero = x[x != 0].abs()
    for t in range(1, neuron.time_steps + 1):
        fired = torch.zeros(len(nonzero), dtype=torch.bool)
        for tau in neuron.taus:
            level = nonzero / (tau * 2.0**-t) * neuron.levels
            whole = (level - level.round()).abs() < 1e-9
            fired |= whole & (level.round() >= neuron.levels) & (level.round() < 2 * neuron.levels)
        if bool(fired.all()):
            return True
    return False


@EXAMPLES
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_increments_add_up_to_the_product(seed: int, matrix: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64) * 5
    y = torch.randn(2, 6, 4, generator=generator, dtype=torch.float64)
    y = y if matrix else y.mT
    product = torch.matmul if matrix else torch.mul
    steps = list(multiply_steps(oat.spike_train(x, A), oat.spike_train(y, B), product))
    assert len(steps) == 10
    expected = product(accumulate(oat.spike_train(x, A)), accumulate(oat.spike_train(y, B)))
    assert torch.allclose(sum(steps), expected, rtol=1e-12, atol=1e-12)


def test_after_each_step_the_increments_add_up_to_the_product_of_what_was_fired() -> None:
    """Eq. 12 is incremental: no step waits for the end."""
    x, y = torch.randn(5, 5, dtype=torch.float64) * 5, torch.randn(5, 5, dtype=torch.float64)
    fired_x, fired_y = list(oat.spike_train(x, A)), list(oat.spike_train(y, B))
    total = torch.zeros(5, 5, dtype=torch.float64)
    for t, increment in enumerate(multiply_steps(iter(fired_x), iter(fired_y), torch.matmul)):
        total += increment
        expected = sum(fired_x[: t + 1]) @ sum(fired_y[: t + 1])
        assert torch.allclose(total, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("product", [torch.matmul, torch.mul])
def test_one_factor_of_every_product_is_a_spike_tensor(product) -> None:
    """Two accumulated tensors are never multiplied."""
    factors: list[tuple[Tensor, Tensor]] = []

    def spy(a: Tensor, b: Tensor) -> Tensor:
        factors.append((a, b))
        return product(a, b)

    x = torch.randn(8, 8, dtype=torch.float64) * 5
    y = torch.randn(8, 8, dtype=torch.float64)
    accumulate(multiply_steps(oat.spike_train(x, A), oat.spike_train(y, B), spy))
    assert len(factors) == 1 + 2 * 9  # at t = 1 nothing has accumulated yet
    for a, b in factors:
        assert is_spike_tensor(a, A) or is_spike_tensor(b, B)
    accumulated = accumulate(oat.spike_train(x, A))
    assert not is_spike_tensor(accumulated, A)  # the check can tell them apart


@pytest.mark.parametrize("matrix", [True, False])
@pytest.mark.parametrize("shorter", ["the first", "the second"])
def test_an_operand_of_fewer_steps_is_silent_in_the_others(shorter: str, matrix: bool) -> None:
    """After each step the product of what was fired, up to the last step of the longer one."""
    x, y = torch.randn(4, 4, dtype=torch.float64) * 5, torch.randn(4, 4, dtype=torch.float64)
    trains = [list(oat.spike_train(x, A)), list(oat.spike_train(y, OAT((4.0,), (), 3, 5)))]
    fired_x, fired_y = trains[::-1] if shorter == "the first" else trains
    product = torch.matmul if matrix else torch.mul
    increments = list(multiply_steps(iter(fired_x), iter(fired_y), product))
    assert len(increments) == 10
    total = torch.zeros(4, 4, dtype=torch.float64)
    for t, increment in enumerate(increments, 1):
        total += increment
        expected = product(sum(fired_x[:t]), sum(fired_y[:t]))
        assert torch.allclose(total, expected, rtol=1e-12, atol=1e-12)


def test_a_spike_train_of_no_step_has_no_sum() -> None:
    with pytest.raises(ValueError, match="one time step"):
        accumulate(iter(()))


class TestWithoutCrossTerms:
    def test_a_trace_worked_by_hand(self) -> None:
        """T = 2, H = 1, tau = 4: theta = 2, 1. 3 fires 2 and 1, 2 fires 2, and 1 fires 1.

        q = (3, 1) and k = (2, 3): 2 * 2 of the first step, 1 * 0 + 1 * 1 of the second; and 0 * 2
        of the first for the rest. That is 5, where q k = 9: what is missing is 1 * 2 + 1 * 2 of
        spikes that come one after the other.
        """
        neuron = OAT((4.0,), (), 2, 1, "floor")
        q = torch.tensor([[3.0, 1.0]], dtype=torch.float64)
        k = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
        trains = [list(oat.spike_train(x, neuron)) for x in (q, k.mT)]
        assert [spikes.flatten().tolist() for spikes in trains[0]] == [[2, 0], [1, 1]]
        assert [spikes.flatten().tolist() for spikes in trains[1]] == [[2, 2], [0, 1]]
        increments = list(multiply_same_steps(*trains, torch.matmul))
        assert [float(increment) for increment in increments] == [4, 1]
        whole = accumulate(multiply_steps(iter(trains[0]), iter(trains[1]), torch.matmul))
        assert float(whole) == 9

    @EXAMPLES
    @given(st.integers(0, 2**32 - 1), st.integers(1, 10))
    def test_all_steps_side_by_side_are_one_product(self, seed: int, stop: int) -> None:
        """Of operands that were stopped, too."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(2, 4, 6, generator=generator, dtype=torch.float64) * 5
        y = torch.randn(2, 3, 6, generator=generator, dtype=torch.float64)
        a, b = ([*oat.spike_train(*of)][:stop] for of in ((x, A), (y, B)))
        expected = accumulate(multiply_same_steps(a, (spikes.mT for spikes in b), torch.matmul))
        product = side_by_side(a, 10) @ side_by_side(b, 10).mT
        assert torch.allclose(product, expected, rtol=1e-12, atol=1e-12)
        for spikes, back in zip(a, one_by_one(side_by_side(a, 10), 10), strict=False):
            assert torch.equal(spikes, back)

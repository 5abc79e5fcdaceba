"""Which inputs are out of range, near the limits: the same ones on all paths, in any dtype."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from las.fitting import FUNCTIONS, fit
from las.neurons import OAT, code_hg, code_oat, hg, oat, tensors

DTYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64]
SILU = fit(FUNCTIONS["silu"], -30.3, 200.7, 16).neuron


def near(limit: float, dtype: torch.dtype) -> Tensor:
    """The numbers of a dtype around a limit, and how many of them are beyond it."""
    x = torch.tensor([limit], dtype=torch.float64).to(dtype)
    below = above = x
    around = [x]
    for _ in range(3):
        below = torch.nextafter(below, torch.full_like(x, -torch.inf))
        above = torch.nextafter(above, torch.full_like(x, torch.inf))
        around += [below, above]
    return torch.cat(around)


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-3, 1e4), st.integers(1, 16), st.integers(4, 16), st.sampled_from(DTYPES))
def test_beyond_the_largest_value(tau: float, levels: int, steps: int, dtype: torch.dtype) -> None:
    """In float64 all of these numbers, and the limit, are exact."""
    neuron = OAT((tau,), (), steps, levels)
    x = near(neuron.largest, dtype)
    beyond = x.double() > neuron.largest
    assert 0 < int(beyond.sum()) < len(x)
    assert torch.equal(oat.out_of_range(x, neuron), beyond)
    expected = int(beyond.sum())
    assert tensors.code_oat(x, neuron, True, None).out_of_range == expected
    assert code_oat(x, neuron, True).out_of_range == expected
    assert code_oat(-x, neuron, True).out_of_range == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_beyond_the_calibrated_range(dtype: torch.dtype) -> None:
    """float32 rounds both ends, to the nearest number."""
    x = torch.cat(
        [near(SILU.low, dtype), near(SILU.high, dtype), torch.tensor([-torch.inf]).to(dtype)]
    )
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    low, high = torch.tensor([SILU.low, SILU.high], dtype=wide)
    beyond = ((x.to(wide) < low) & ~x.isinf()) | (x.to(wide) > high)
    assert torch.equal(hg.out_of_range(x, SILU), beyond)
    expected = int(beyond.sum())
    assert 0 < expected < len(x)
    assert tensors.code_hg(x, SILU, True, None).out_of_range == expected
    assert code_hg(x, SILU, True).out_of_range == expected

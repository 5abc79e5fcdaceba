"""Mean errors of activations, worked out by hand, and what those of several sites do together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from las.calibration import bins
from las.calibration.expected import Expected
from las.calibration.mean_errors import MeanErrors
from las.components.component import SpikingModule, share_run
from las.components.linear import SpikingLinear
from las.components.run_state import RunState
from las.components.running import observing

X = torch.tensor([1.0, 4.0, -0.25, 1.5])
W = torch.tensor([[3.0, 1.0, -2.0, 0.5], [1.0, -2.0, 8.0, 0.25]])
V = torch.tensor([[-1.0, 0.5, 8.0, 0.25], [2.0, 0.0, 1.0, -1.0]])


class Summed(nn.Module):
    """All tokens are `X`; the output is the sum of what two layers make of all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(X[None])
        self.first, self.second = (SpikingLinear(nn.Parameter(w), None) for w in (W, V))
        for path, part in self.named_modules():
            if isinstance(part, SpikingModule):
                part.name = path
        share_run(self, RunState())

    def forward(self, input_ids: Tensor) -> Any:
        x = self.table(input_ids)
        return (self.first(x) + self.second(x)).sum(1)


def relative(of_one: float, of_four: float, of_a_quarter: float) -> np.ndarray:
    """Of the octaves from 1, in which 1.5 lies, too, from 4 and from 1/4."""
    shares = np.zeros(bins.OCTAVES)
    shares[[-bins.LOW_EXPONENT + exponent for exponent in (0, 2, -2)]] = (
        of_one,
        of_four,
        of_a_quarter,
    )
    return shares


A, B = relative(-0.5, 0.0, -1.0), relative(-0.25, 0.125, 0.0)
BY_A = torch.tensor([0.5, 4.0, 0.0, 0.75])
BY_B = torch.tensor([0.75, 4.5, -0.25, 1.125])


@pytest.mark.parametrize(
    ("errors", "shared", "first", "second"),
    [
        ({}, {}, X, X),
        ({"first.site": A}, {}, BY_A, X),
        ({"first.site": A, "second.site": B}, {}, BY_A, BY_B),
        ({"first.site": A}, {"second.site": "first.site"}, BY_A, BY_A),
    ],
)
@pytest.mark.parametrize("tokens", [1, 3])
def test_each_value_errs_as_its_octave_does(
    errors: dict[str, np.ndarray], shared: dict[str, str], first: Tensor, second: Tensor,
    tokens: int,
) -> None:  # fmt: skip
    model, ids = Summed(), torch.zeros(2, tokens, dtype=torch.int64)
    with torch.no_grad(), observing(model, MeanErrors(errors, shared, {})):
        assert torch.equal(model(ids), (tokens * (W @ first + V @ second)).expand(2, 2))


def test_octaves_may_be_in_units_of_channels_beyond_what_a_narrow_dtype_holds() -> None:
    """4 is 64 of a unit of 1/16, and 1.5 is 24; 5000 would be 80,000."""
    model, ids = Summed(), torch.zeros(1, 1, dtype=torch.int64)
    shares = np.zeros(bins.OCTAVES)
    shares[-bins.LOW_EXPONENT + 6] = -0.5  # from 64 to 128
    shifts = {"first.site": (0, -4, 0, -4)}
    with torch.no_grad(), observing(model, MeanErrors({"first.site": shares}, {}, shifts)):
        expected = W @ torch.tensor([1.0, 2.0, -0.25, 1.5]) + V @ X
        assert torch.equal(model(ids)[0], expected)
    large = torch.full((4,), 5000.0, dtype=torch.float16)
    shares[-bins.LOW_EXPONENT + 16] = -0.5  # from 65,536 on
    observer = MeanErrors({"first.site": shares}, {}, shifts)
    moved = observer.observe(model.first.site, large[None], None)
    assert moved[0].tolist() == [5000, 2500, 5000, 2500]


def test_they_add_up_over_sites_and_tokens_before_they_are_squared() -> None:
    """(sum of W e_a + V e_b)^2 / (sum of (W + V) x)^2, as many tokens as there may be."""
    model = Summed()
    expected = Expected(
        model, [{"input_ids": torch.zeros(1, n, dtype=torch.int64)} for n in (2, 5)]
    )
    with observing(model, MeanErrors({"first.site": A, "second.site": B}, {}, {})):
        loss = expected.loss(model)
    moved = W @ (BY_A - X) + V @ (BY_B - X)
    assert loss == pytest.approx(float(moved.square().sum() / ((W + V) @ X).square().sum()))

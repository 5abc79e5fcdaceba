"""What neurons have fired, packed and added up."""

from __future__ import annotations

import pytest
import torch

from las.neurons import OAT, code_oat
from las.neurons.encoding import Firing, digits_of
from tests.neurons.signed_digits import fewest_digits


def test_digits_are_the_fewest_with_which_a_level_can_be_written() -> None:
    """All levels up to H = 16; 7 = 8 - 1 takes two, 11 = 8 + 4 - 1 three, 21 = 16 + 4 + 1 three."""
    levels = torch.arange(32)
    expected = [fewest_digits(level) for level in range(32)]
    assert [expected[level] for level in (0, 1, 7, 11, 21)] == [0, 1, 2, 3, 3]
    for dtype in (torch.int64, torch.int32, torch.float32, torch.float64, torch.bfloat16):
        assert digits_of(levels.to(dtype)).tolist() == expected
        assert digits_of(-levels.to(dtype)).tolist() == expected


@pytest.mark.parametrize("levels", range(1, 17))
@pytest.mark.parametrize("rounding", ["nearest", "floor", "signed"])
def test_one_step_fires_the_digits_of_its_level(levels: int, rounding: str) -> None:
    """T = 1 with theta(1) = H: the levels are H to 2H - 1 themselves."""
    fired = torch.arange(levels, 2 * levels, dtype=torch.float64)
    for x in (fired, -fired):
        coded = code_oat(x, OAT((2.0 * levels,), (), 1, levels, rounding), count=True)
        assert coded.packed is not None
        assert coded.value.tolist() == x.tolist()
        digits = [fewest_digits(level) for level in range(levels, 2 * levels)]
        assert coded.packed.tolist() == [1 + 256 * n for n in digits]
        assert coded.firing == Firing(levels, sum(digits), levels)


def test_what_is_packed_is_unpacked_and_added_up() -> None:
    """An input that is silent, one spike of three digits, and the most that 32 steps can hold."""
    packed = torch.tensor([0, 1 + 256 * 3, 32 + 256 * 96], dtype=torch.int16)
    assert Firing.of(packed) == Firing(spikes=33, digits=99, active=2)
    twice = Firing.of(packed, lambda x: 2 * int(x.sum()))
    assert twice == Firing.of(packed) + Firing.of(packed) == Firing.of(packed) * 2
    assert Firing.plain(5) == Firing(5, 5, 5)


def test_the_most_digits_of_all_steps_have_room() -> None:
    """H = 11 fires 21 = 16 + 4 + 1 at each of 32 steps where it is out of range."""
    x = torch.tensor([1e9, -torch.inf])
    for rounding in ("nearest", "signed"):
        coded = code_oat(x, OAT((1.0,), (), 32, 11, rounding), count=True)
        assert coded.packed is not None
        assert coded.packed.tolist() == [32 + 256 * 32 * 3] * 2
        assert (coded.spikes, coded.firing.digits, coded.out_of_range) == (64, 192, 2)

from __future__ import annotations

import pytest

from benchmarks.ratios import Spread, noise_ratios, pairwise_ratios


def test_ratios_are_of_the_same_round():
    assert pairwise_ratios([2.0, 6.0, 5.0], [1.0, 2.0, 10.0]) == [2.0, 3.0, 0.5]


def test_rounds_without_a_partner_are_an_error():
    with pytest.raises(ValueError):
        pairwise_ratios([1.0, 2.0], [1.0])


def test_noise_is_each_round_over_the_one_before():
    assert noise_ratios([1.0, 2.0, 1.0]) == [2.0, 0.5]
    assert noise_ratios([1.0]) == []


def test_spread_of_an_odd_number():
    spread = Spread.of([5.0, 1.0, 3.0, 2.0, 4.0])
    assert spread == Spread(3.0, 2.0, 4.0, 1.0, 5.0, 5)


def test_spread_interpolates_between_an_even_number():
    # sorted 1 2 3 10: the quartiles lie at positions 0.75, 1.5 and 2.25
    assert Spread.of([10.0, 1.0, 3.0, 2.0]) == Spread(2.5, 1.75, 4.75, 1.0, 10.0, 4)


def test_spread_of_one():
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0, 2.0, 2.0, 1)

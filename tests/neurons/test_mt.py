from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from las.neurons import MT, OAT, code_oat, mt, oat

EXAMPLES = settings(max_examples=25, deadline=None)
STEPS = st.integers(1, 32)
LEVELS = st.integers(1, 16)
ROUNDINGS = st.sampled_from(["nearest", "half_step", "floor", "signed"])


def trace(x: float, neuron: MT) -> tuple[list[float], list[float]]:
    """Weighted spikes and membrane after each step, both in the units of x, for x >= 0."""
    v = torch.tensor(x / neuron.delta, dtype=torch.float64)
    v = v + mt.initial_raise(neuron.levels, neuron.rounding)
    fired, membrane = [], []
    for t in range(1, neuron.time_steps + 1):
        level, v = mt.step(v, t, neuron)
        fired.append(float(level) * 2.0 ** (neuron.time_steps - t) * neuron.delta)
        membrane.append(float(v) * neuron.delta)
    return fired, membrane


def code(x: torch.Tensor, neuron: MT) -> torch.Tensor:
    """What one MT neuron alone codes of x."""
    alone = OAT((neuron.tau,), (), neuron.time_steps, neuron.levels, neuron.rounding)
    return code_oat(x, alone).value


def eq7(x: Fraction, tau: Fraction, steps: int, levels: int) -> list[Fraction]:
    """Eqs. 5-7 word for word, in exact arithmetic: d(t) of each step."""
    v, fired = x, []
    for t in range(1, steps + 1):
        theta = tau / 2**t
        spike = Fraction(0)
        for k in range(levels):
            if abs(v) >= Fraction(levels + k, levels) * theta:
                spike = Fraction(levels + k, levels) * theta
        fired.append(spike if v > 0 else -spike)
        v -= fired[-1]
    return fired


class TestHandWorkedTraces:
    # tau = 16, T = 4: theta = 8, 4, 2, 1. H = 1: a step fires theta(t) or nothing.

    def test_one_level_floor(self) -> None:
        # 11.7 >= 8 fires 8, 3.7 < 4, 3.7 >= 2 fires 2, 1.7 >= 1 fires 1; 0.7 is lost.
        fired, membrane = trace(11.7, MT(16.0, 4, 1, "floor"))
        assert fired == [8, 0, 2, 1]
        assert membrane == pytest.approx([3.7, 3.7, 1.7, 0.7])

    def test_one_level_half_step(self) -> None:
        # theta(4)/2 = 0.5 comes on top: 12.2 fires 8, 4.2 fires 4, 0.2 fires no more.
        fired, membrane = trace(11.7, MT(16.0, 4, 1, "half_step"))
        assert fired == [8, 4, 0, 0]
        assert membrane == pytest.approx([4.2, 0.2, 0.2, 0.2])

    def test_one_level_nearest(self) -> None:
        # theta(t)/H >= theta(T) at every step, so each threshold is lowered by theta(4)/2 = 0.5:
        # 7.5, 3.5, 1.5, 0.5. 11.7 fires 8, 3.7 fires 4, -0.3 stays.
        fired, membrane = trace(11.7, MT(16.0, 4, 1, "nearest"))
        assert fired == [8, 4, 0, 0]
        assert membrane == pytest.approx([3.7, -0.3, -0.3, -0.3])

    # tau = 40, T = 3, H = 5: theta = 20, 10, 5; levels 20 24 28 32 36, 10 12 14 16 18, 5 6 7 8 9.

    def test_five_levels_floor(self) -> None:
        # 31.4: 28 <= 31.4 < 32 fires 28; 3.4 < 10; 3.4 < 5; 3.4 is lost.
        fired, membrane = trace(31.4, MT(40.0, 3, 5, "floor"))
        assert fired == [28, 0, 0]
        assert membrane == pytest.approx([3.4, 3.4, 3.4])

    def test_five_levels_half_step(self) -> None:
        # 31.4 + 2.5 = 33.9 fires 32; 1.9 is silent to the end: the error is 0.6.
        fired, membrane = trace(31.4, MT(40.0, 3, 5, "half_step"))
        assert fired == [32, 0, 0]
        assert membrane == pytest.approx([1.9, 1.9, 1.9])

    def test_five_levels_nearest(self) -> None:
        # Step 1: levels are 4 apart, lowered by min(4, 5)/2 = 2: 30 <= 31.4 fires 32; -0.6 stays.
        fired, membrane = trace(31.4, MT(40.0, 3, 5, "nearest"))
        assert fired == [32, 0, 0]
        assert membrane == pytest.approx([-0.6, -0.6, -0.6])

    def test_five_levels_fire_in_every_step(self) -> None:
        # Saturation: 70 >= 2 theta(1) fires the top level 36; 34 >= 2 theta(2) fires 18; 16 >= 10
        # fires 9; 7 is beyond what is representable: 36 + 18 + 9 = 63.
        neuron = MT(40.0, 3, 5, "floor")
        fired, membrane = trace(70.0, neuron)
        assert fired == [36, 18, 9]
        assert membrane == pytest.approx([34, 16, 7])
        assert neuron.largest == pytest.approx(63)

    def test_last_step_of_nearest_fires_its_lowest_level_from_half_of_it_on(self) -> None:
        # theta(3) = 5: 2.4 is nearer to 0, 2.6 nearer to 5.
        neuron = MT(40.0, 3, 5, "nearest")
        assert trace(2.4, neuron)[0] == [0, 0, 0]
        assert trace(2.6, neuron)[0] == [0, 0, 5]

    # Signed neurons fire the nearest level from (H - 1/4) theta(t)/H on, half-way between the
    # lowest level of a step and the highest one of the next. H = 1: 6, 3, 1.5, 0.75.

    def test_one_level_signed(self) -> None:
        # 13 fires 8, 5 fires 4, 1 < 1.5 is silent, 1 fires 1.
        fired, membrane = trace(13.0, MT(16.0, 4, 1, "signed"))
        assert fired == [8, 4, 0, 1]
        assert membrane == pytest.approx([5, 1, 1, 0])

    def test_one_level_signed_goes_beyond_and_comes_back(self) -> None:
        # 6.3 >= 6 fires 8: -1.7 is left. |-1.7| < 3 is silent, >= 1.5 fires -2, and 0.3 < 0.75
        # stays: two spikes where 4 + 2 and a rest would be as many, and 7 takes two and not three.
        fired, membrane = trace(6.3, MT(16.0, 4, 1, "signed"))
        assert fired == [8, 0, -2, 0]
        assert membrane == pytest.approx([-1.7, -1.7, 0.3, 0.3])
        assert trace(7.0, MT(16.0, 4, 1, "signed"))[0] == [8, 0, 0, -1]

    # H = 5: a step fires from 19, 9.5, 4.75 on; its levels are 4, 2, 1 apart.

    def test_five_levels_signed(self) -> None:
        # 31.4 is nearest to 32; -0.6 is silent to the end.
        fired, membrane = trace(31.4, MT(40.0, 3, 5, "signed"))
        assert fired == [32, 0, 0]
        assert membrane == pytest.approx([-0.6, -0.6, -0.6])

    def test_five_levels_signed_fire_in_every_step(self) -> None:
        # 70 fires the top level 36; 34 fires 18; 16 fires 9; 7 is beyond what is representable.
        fired, membrane = trace(70.0, MT(40.0, 3, 5, "signed"))
        assert fired == [36, 18, 9]
        assert membrane == pytest.approx([34, 16, 7])

    def test_five_levels_signed_fire_once_more_with_the_other_sign(self) -> None:
        # tau = 160, T = 5: theta = 80, 40, 20, 10, 5. The levels of step 1 are 16 apart: 103.5 is
        # nearest to 96 or 112: 103.5 - 96 = 7.5 < 8, so 96. 104.5 fires 112 and leaves -7.5: silent
        # at 20 and 10, and at the last step, where levels are 1 apart, -7.5 is as near to -7 as to
        # -8: the larger one fires.
        neuron = MT(160.0, 5, 5, "signed")
        fired, membrane = trace(104.5, neuron)
        assert fired == [112, 0, 0, 0, -8]
        assert membrane == pytest.approx([-7.5, -7.5, -7.5, -7.5, 0.5])
        assert trace(103.5, neuron)[0] == [96, 0, 0, 0, 8]

    def test_signed_is_silent_below_the_smallest_level_but_for_a_quarter_of_their_distance(
        self,
    ) -> None:
        # theta(3) = 5 with levels 1 apart: silent below 4.75. H = 1: theta(4) = 1, below 0.75.
        for x in (0.0, 2.6, 4.7):
            assert trace(x, MT(40.0, 3, 5, "signed"))[0] == [0, 0, 0]
        assert trace(4.8, MT(40.0, 3, 5, "signed"))[0] == [0, 0, 5]
        assert trace(0.7, MT(16.0, 4, 1, "signed"))[0] == [0, 0, 0, 0]
        assert trace(0.8, MT(16.0, 4, 1, "signed"))[0] == [0, 0, 0, 1]


@EXAMPLES
@given(st.integers(-(2**20), 2**20), st.integers(1, 12), LEVELS)
def test_floor_is_eq_7_word_for_word(numerator: int, steps: int, levels: int) -> None:
    """Exactly, spike for spike, on inputs and thresholds that floating point holds exactly."""
    tau = Fraction(levels * 4)
    x = Fraction(numerator, 2**16)
    expected = eq7(x, tau, steps, levels)
    neuron = OAT((float(tau),), (), steps, levels, "floor")
    train = oat.spike_train(torch.tensor(float(x), dtype=torch.float64), neuron)
    assert [Fraction(float(spike)) for spike in train] == expected


@EXAMPLES
@given(LEVELS, STEPS)
def test_a_step_fires_one_of_the_levels_of_eq_7_and_the_top_one_from_two_theta_on(
    levels: int, steps: int
) -> None:
    neuron = MT(1.0, steps, levels, "floor")
    theta = levels * 2.0 ** (steps - 1)  # theta(1) in units of delta
    v = torch.linspace(0, 3, 301, dtype=torch.float64) * theta
    level, _ = mt.step(v, 1, neuron)
    assert set(level.tolist()) <= {0, *range(levels, 2 * levels)}
    assert (level[v < theta] == 0).all()
    assert (level[v >= theta] >= levels).all()
    assert (level[v >= 2 * theta] == 2 * levels - 1).all()


@EXAMPLES
@given(STEPS, LEVELS, ROUNDINGS, st.integers(0, 2**32 - 1))
def test_the_error_is_bounded_by_the_last_threshold(
    steps: int, levels: int, rounding: mt.Rounding, seed: int
) -> None:
    """Up to the largest value: below theta(T) for floor, which never overshoots; else theta(T)/2.

    Of signed neurons it is what they are silent at in the end, (H - 1/4) theta(T)/H.

    A silent last step leaves less than theta(T), a firing one less than theta(T)/H; what the top
    level leaves is within reach of the steps that follow. The two other roundings move that
    interval, or every threshold, down by half of it.
    """
    neuron = MT(3.7, steps, levels, rounding)
    last = neuron.tau * 2.0**-steps
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(500, generator=generator, dtype=torch.float64) * neuron.largest
    x = torch.cat([x, torch.tensor([0.0, last / 2, last, neuron.largest], dtype=torch.float64)])
    error = x - code(x, neuron)
    rounding_error = 1e-15 * neuron.largest
    if rounding == "floor":
        assert error.min() >= -rounding_error
        assert error.max() < last + rounding_error
    elif rounding == "signed":
        assert error.abs().max() <= last * (levels - 1 / 4) / levels + rounding_error
    else:
        assert error.abs().max() <= last / 2 + rounding_error


@EXAMPLES
@given(STEPS, LEVELS, ROUNDINGS, st.floats(1e-3, 1e4))
def test_largest_is_the_largest_value(
    steps: int, levels: int, rounding: mt.Rounding, tau: float
) -> None:
    neuron = MT(tau, steps, levels, rounding)
    assert neuron.largest == pytest.approx(
        sum((2 - 1 / levels) * tau * 2.0**-t for t in range(1, steps + 1)), rel=1e-12
    )
    x = torch.tensor([1 + 1e-12, 1.5, 3.0, 1e6], dtype=torch.float64) * neuron.largest
    value = code(x, neuron)
    assert value.tolist() == pytest.approx([neuron.largest] * 4, rel=1e-12)


@EXAMPLES
@given(STEPS, LEVELS, ROUNDINGS, st.integers(0, 2**32 - 1))
def test_negative_inputs_mirror_positive_ones(
    steps: int, levels: int, rounding: mt.Rounding, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(200, generator=generator, dtype=torch.float64) * 2
    neuron = MT(1.5, steps, levels, rounding)
    assert torch.equal(code(-x, neuron), -code(x, neuron))


@pytest.mark.parametrize("levels", [1, 2, 5, 16])
def test_nearest_has_the_smallest_error_and_hardly_a_bias(levels: int) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(20_000, generator=generator, dtype=torch.float64)
    mean_square, bias = {}, {}
    for rounding in ("nearest", "half_step", "floor"):
        error = code(x, MT(1.0, 6, levels, rounding)) - x
        mean_square[rounding] = float(error.square().mean())
        bias[rounding] = abs(float(error.mean()))
    assert mean_square["nearest"] <= mean_square["half_step"] * 1.001
    assert mean_square["half_step"] < mean_square["floor"]
    assert bias["nearest"] < 0.2 * bias["floor"]


@pytest.mark.parametrize("levels", [1, 2, 5, 16])
def test_signed_has_hardly_a_bias(levels: int) -> None:
    """What is left has either sign, and as often; "floor" leaves (H + 1)/4H theta(T) or so."""
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(20_000, generator=generator, dtype=torch.float64)
    floor = code(x, MT(1.0, 8, levels, "floor")) - x
    error = code(x, MT(1.0, 8, levels, "signed")) - x
    assert abs(float(error.mean())) < 0.05 * abs(float(floor.mean()))
    assert float((error > 0).double().mean()) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("levels", "share"), [(1, 0.86), (5, 0.95), (16, 0.98)])
def test_signed_buys_the_same_error_with_fewer_spikes(levels: int, share: float) -> None:
    """On normal values, and the more the fewer levels. "nearest" may have the larger error."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(20_000, generator=generator, dtype=torch.float64)

    def spikes_and_error(neuron: MT) -> tuple[float, float]:
        alone = OAT((neuron.tau,), (), neuron.time_steps, neuron.levels, neuron.rounding)
        coded = code_oat(x, alone, count=True)
        return coded.spikes / len(x), float((coded.value - x).square().mean())

    nearest, error = spikes_and_error(MT(8.0, 12, levels, "nearest"))
    _, finer = spikes_and_error(MT(8.0, 13, levels, "signed"))
    signed, alike = spikes_and_error(MT(7.8 * (error / finer) ** 0.5, 13, levels, "signed"))
    assert 0.9 * error < alike < error
    assert signed < share * nearest


def test_one_signed_level_fires_at_about_a_third_of_the_steps() -> None:
    """As often as a digit of the sparsest signed binary form is nonzero; in binary it is half."""
    generator = torch.Generator().manual_seed(6)
    x = torch.rand(5000, generator=generator, dtype=torch.float64)
    rate = {
        rounding: code_oat(x, OAT((1.0,), (), 30, 1, rounding), count=True).spikes / len(x) / 30
        for rounding in ("signed", "floor")
    }
    assert rate["signed"] == pytest.approx(1 / 3, abs=0.03)
    assert rate["floor"] == pytest.approx(1 / 2, abs=0.03)


@EXAMPLES
@given(STEPS, LEVELS, st.integers(0, 2**32 - 1))
def test_signed_fires_the_level_that_is_nearest(steps: int, levels: int, seed: int) -> None:
    """Word for word, at every step: of all levels and of silence in the dead zone."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(200, generator=generator, dtype=torch.float64) * levels * 2.0**steps
    neuron = MT(1.0, steps, levels, "signed")
    allowed = torch.arange(levels, 2 * levels, dtype=torch.float64)
    for t in range(1, steps + 1):
        spacing = 2.0 ** (steps - t)
        level, rest = mt.step(v, t, neuron)
        silent = v.abs() < (levels - 1 / 4) * spacing
        assert torch.equal(level == 0, silent)
        distance = (v.abs()[:, None] - allowed * spacing).abs().amin(1)
        assert torch.equal(rest.abs()[~silent], distance[~silent])
        assert torch.equal(rest[silent], v[silent])
        assert torch.equal(level[~silent].sign(), v[~silent].sign())
        v = rest


@pytest.mark.parametrize("steps", [1, 2, 7, 16, 32])
def test_one_level_codes_in_binary(steps: int) -> None:
    """H = 1 and floor: the spikes are the binary digits of x / tau."""
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(300, generator=generator, dtype=torch.float64)
    expected = torch.floor(x * 2.0**steps) / 2.0**steps
    assert torch.equal(code(x, MT(1.0, steps, 1, "floor")), expected)


@pytest.mark.parametrize(
    "arguments",
    [
        {"time_steps": 0},
        {"time_steps": 33},
        {"levels": 0},
        {"levels": 17},
        {"rounding": "up"},
        {"tau": 0.0},
        {"tau": -1.0},
        {"tau": float("inf")},
        {"tau": float("nan")},
    ],
)
def test_impossible_parameters_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        MT(**{"tau": 1.0, **arguments})

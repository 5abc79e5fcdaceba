from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from las.neurons import MT, OAT, code_oat, oat
from las.neurons.tables import oat_table

EXAMPLES = settings(max_examples=25, deadline=None)


def paper_neuron(rounding: str = "nearest") -> OAT:
    """theta_nor = 1 gates a fine sub-neuron and one that reaches above 100."""
    return OAT((1.0, 64.0), (1.0,), 8, 5, rounding)


def test_a_value_at_the_gate_is_an_outlier_and_one_below_it_is_coded_finer() -> None:
    below = 1 - 2.0**-40
    x = torch.tensor([below, 1.0, -below, -1.0], dtype=torch.float64)
    neuron = paper_neuron()
    assert oat.band_of(x, neuron).tolist() == [0, 1, 0, 1]
    error = (code_oat(x, neuron).value - x).abs()
    assert (error[[0, 2]] <= 2.0**-8 / 2).all()  # theta_nor(T) / 2
    assert error[1] <= 64 * 2.0**-8 / 2
    # theta_out(8) = 0.25 and its levels 0.05 apart; theta_nor's are 64 times closer.
    outliers = torch.linspace(1, 1.7, 301, dtype=torch.float64)
    alone = OAT((1.0,), (), 8, 5)
    coarse = (code_oat(outliers, neuron).value - outliers).abs().mean()
    fine = (code_oat(outliers, alone).value - outliers).abs().mean()
    assert fine < coarse / 10


def test_bands_are_coded_by_their_own_mt_neuron() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, generator=generator, dtype=torch.float64).exp()
    x = x * torch.where(torch.rand(2000, generator=generator) < 0.5, -1.0, 1.0)
    neuron = OAT((0.5, 3.0, 40.0), (0.7, 4.0), 10, 3)
    value = code_oat(x, neuron).value
    bands = [x.abs() < 0.7, (x.abs() >= 0.7) & (x.abs() < 4), x.abs() >= 4]
    for tau, mine in zip(neuron.taus, bands, strict=True):
        assert mine.any()
        alone = code_oat(x[mine], OAT((tau,), (), 10, 3)).value
        assert torch.equal(value[mine], alone)


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_bands_may_be_one_or_many(bands: int) -> None:
    taus = tuple(4.0**b for b in range(bands))
    neuron = OAT(taus, tuple(1.5 * tau for tau in taus[:-1]), 12, 5)
    assert neuron.largest == MT(taus[-1], 12, 5).largest
    assert len(neuron.bands) == bands
    x = torch.logspace(-3, 0.2, 200, dtype=torch.float64) * taus[-1]
    error = (code_oat(x, neuron).value - x).abs()
    own_tau = torch.tensor(taus, dtype=torch.float64)[oat.band_of(x, neuron)]
    assert (error <= own_tau * 2.0**-12 / 2 * (1 + 1e-9)).all()


def test_more_bands_code_small_values_beside_outliers_better() -> None:
    """The reason for OAT (Section 4.1): one threshold puts most values into the same bin."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5000, generator=generator, dtype=torch.float64)
    one = OAT((2000.0,), (), 8, 5)
    two = OAT((4.0, 2000.0), (6.0,), 8, 5)
    assert len(code_oat(x, one).value.unique()) <= 5
    assert (code_oat(x, two).value - x).abs().max() < 0.01


@EXAMPLES
@given(
    st.integers(1, 32),
    st.integers(1, 16),
    st.sampled_from(["nearest", "half_step", "floor", "signed"]),
    st.integers(0, 2**32 - 1),
)
def test_weighted_spikes_lie_on_the_levels_of_the_band(
    steps: int, levels: int, rounding: str, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(100, generator=generator, dtype=torch.float64) * 3
    neuron = OAT((1.0, 10.0), (1.3,), steps, levels, rounding)
    tau = torch.tensor(neuron.taus, dtype=torch.float64)[oat.band_of(x, neuron)]
    for t, weighted in enumerate(oat.spike_train(x, neuron), start=1):
        fired = weighted != 0
        if rounding != "signed":
            assert (weighted[fired].sign() == x[fired].sign()).all()
        level = (weighted.abs() / (tau * 2.0**-t) * levels)[fired]
        assert torch.allclose(level, level.round(), rtol=1e-12)
        assert ((level.round() >= levels) & (level.round() <= 2 * levels - 1)).all()
        assert torch.equal(oat.levels_of(weighted, t, x, neuron)[fired], level.round())
        assert not oat.levels_of(weighted, t, x, neuron)[~fired].any()


def test_the_first_spike_of_a_signed_neuron_has_the_sign_of_its_input() -> None:
    """And later ones either sign: 6.3 = 8 - 2 + 0.3 in the band of tau = 16, 0.79 = 1 - 0.25."""
    neuron = OAT((2.0, 16.0), (1.2,), 4, 1, "signed")
    x = torch.tensor([6.3, -6.3, 0.79, -0.79], dtype=torch.float64)
    train = torch.stack(list(oat.spike_train(x, neuron)), dim=1)
    assert train.tolist() == [[8, 0, -2, 0], [-8, 0, 2, 0], [1, 0, -0.25, 0], [-1, 0, 0.25, 0]]
    assert code_oat(x, neuron).value.tolist() == [6, -6, 0.75, -0.75]


def test_a_channel_with_thresholds_four_times_as_large_worked_by_hand() -> None:
    """6.3 = 8 - 2 + 0.3 with tau = 16; a quarter of it with a quarter of the thresholds."""
    neuron = OAT((16.0,), (), 4, 1, "signed", shifts=(0, 2, -1))
    x = torch.tensor([[6.3, 25.2, 3.15], [0.4, 6.3, 6.3]], dtype=torch.float64)
    train = torch.stack(list(oat.spike_train(x, neuron)))
    assert train[:, 0].T.tolist() == [[8, 0, -2, 0], [32, 0, -8, 0], [4, 0, -1, 0]]
    # With thresholds of 32, 16, 8, 4 it is 8; with 4, 2, 1, 0.5 it is 4 + 2, and 0.3 < 3/4 of 0.5.
    assert train[:, 1].T.tolist() == [[0, 0, 0, 0], [0, 0, 8, 0], [4, 2, 0, 0]]
    coded = code_oat(x, neuron, count=True)
    assert torch.equal(coded.value, train.sum(0))
    assert coded.counts is not None
    assert torch.equal(coded.counts, (train != 0).sum(0, dtype=torch.int8))
    for t, weighted in enumerate(train, 1):
        assert torch.equal(oat.levels_of(weighted, t, x, neuron), (weighted != 0).double())
    assert oat.out_of_range(x * 5, neuron).tolist() == [[True, True, True], [False, False, True]]


@EXAMPLES
@given(
    st.lists(st.integers(-8, 8), min_size=1, max_size=6).map(tuple),
    st.sampled_from(["nearest", "half_step", "floor", "signed"]),
    st.sampled_from([None, 1, 5]),
    st.integers(0, 2**32 - 1),
)
def test_each_channel_fires_as_if_its_thresholds_were_those_of_all(
    shifts: tuple[int, ...], rounding: str, stop: int | None, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(40, len(shifts), generator=generator) * 3
    neuron = OAT((1.0, 10.0), (1.3,), 9, 5, rounding, shifts)
    coded = code_oat(x, neuron, True, stop)
    trains = torch.stack(list(oat.spike_train(x, neuron)))[:stop]
    assert torch.equal(coded.counts, (trains != 0).sum(0, dtype=torch.int8))
    outside = 0
    for channel, shift in enumerate(shifts):
        scale = 2.0**shift
        alone = OAT((scale, 10 * scale), (1.3 * scale,), 9, 5, rounding)
        there = code_oat(x[:, channel].contiguous(), alone, True, stop)
        assert torch.equal(coded.value[:, channel], there.value)
        assert torch.equal(coded.packed[:, channel], there.packed)
        train = torch.stack(list(oat.spike_train(x[:, channel], alone)))[:stop]
        assert torch.equal(trains[:, :, channel], train)
        assert torch.equal(oat.band_of(x, neuron)[:, channel], oat.band_of(x[:, channel], alone))
        outside += there.out_of_range
    assert coded.out_of_range == outside == int(oat.out_of_range(x, neuron).sum())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_thresholds_of_channels_are_no_matter_of_the_dtype(dtype: torch.dtype) -> None:
    neuron = OAT((1.0,), (), 12, 5, "signed", (-8, 0, 8))
    x = (torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * 60).to(dtype)
    coded, wide = code_oat(x, neuron, True), code_oat(x.float(), neuron, True)
    assert coded.value.dtype == dtype
    assert torch.equal(coded.value, wide.value.to(dtype))
    assert torch.equal(coded.packed, wide.packed)


def test_thresholds_of_other_channels_are_refused() -> None:
    neuron = OAT((1.0,), (), shifts=(0, 1))
    for x in (torch.ones(4, 3), torch.tensor(1.0)):
        with pytest.raises(ValueError, match=r"of 2 channels are for inputs \(..., 2\)"):
            code_oat(x, neuron)
    for shifts in ((0, 9), (0.5,), (float("nan"),), (-9,)):
        with pytest.raises(ValueError, match="shifts must be whole numbers from -8 to 8"):
            OAT((1.0,), (), shifts=shifts)
    with pytest.raises(ValueError, match="in units of their channel"):
        oat_table(neuron)


@pytest.mark.parametrize(
    ("taus", "gates", "what"),
    [
        ((1.0, 2.0), (), "gates"),
        ((1.0,), (0.5,), "gates"),
        ((), (), "gates"),
        ((2.0, 1.0), (1.0,), "increase"),
        ((1.0, 1.0), (1.0,), "increase"),
        ((0.0, 1.0), (1.0,), "increase"),
        ((-1.0, 1.0), (1.0,), "increase"),
        ((1.0, 2.0), (0.0,), "increase"),
        ((1.0, 2.0, 3.0), (2.0, 1.0), "increase"),
    ],
)
def test_thresholds_must_be_positive_and_increase(
    taus: tuple[float, ...], gates: tuple[float, ...], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        OAT(taus, gates)


@pytest.mark.parametrize(
    ("taus", "gates"),
    [
        ((1.0, float("nan")), (1.0,)),
        ((1.0, float("inf")), (1.0,)),
        ((1.0, 2.0), (float("nan"),)),
    ],
)
def test_thresholds_must_be_finite(taus: tuple[float, ...], gates: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"finite|positive"):
        OAT(taus, gates)


@pytest.mark.parametrize(
    ("option", "value"),
    [("time_steps", 0), ("time_steps", 33), ("levels", 0), ("levels", 17), ("rounding", "up")],
)
def test_impossible_steps_levels_and_roundings_are_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option):
        OAT((1.0, 2.0), (1.0,), **{option: value})

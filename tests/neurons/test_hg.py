from __future__ import annotations

import numpy as np
import pytest
import torch

from las.neurons import HG, Octaves, code_hg, hg

STEPS = 6


def sub_ranges(octaves: Octaves) -> int:
    return 1 + sum(2**split for split in octaves.splits)


def build(
    negative: Octaves | None,
    positive: Octaves | None,
    steps: int = STEPS,
    low: float = -4.0,
    high: float = 4.0,
    seed: int = 0,
) -> HG:
    """An HG neuron with arbitrary offsets and slopes: what it does shows which fired."""
    size = sum(sub_ranges(side) for side in (negative, positive) if side is not None)
    rng = np.random.default_rng(seed)
    return HG(
        "gelu",
        steps,
        negative,
        positive,
        rng.uniform(1, 2, size),
        rng.uniform(-1, 1, size),
        low,
        high,
    )


# Negative: [-1, 0) central, [-2, -1) whole. Positive: [0, 1/2) central, [1/2, 1) in two,
# [1, 2) whole, [2, 4) in four.
BOTH = (Octaves(0, (0,), silent_beyond=True), Octaves(-1, (1, 0, 2)))


def test_sub_ranges_tile_the_line() -> None:
    neuron = build(*BOTH)
    left = [-1, -2, 0, 0.5, 0.75, 1, 2, 2.5, 3, 3.5]
    width = [1, 1, 0.5, 0.25, 0.25, 1, 0.5, 0.5, 0.5, 0.5]
    assert neuron.left.tolist() == left
    assert neuron.width.tolist() == width
    assert neuron.size == len(left)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gate_of_eq_8_hands_each_input_to_the_sub_neuron_of_its_sub_range(
    dtype: torch.dtype,
) -> None:
    """lambda_(i-1) <= v(1) < lambda_i on the positive side; mirrored on the negative one."""
    neuron = build(*BOTH)
    below = torch.nextafter(torch.tensor(2.0, dtype=dtype), torch.tensor(0.0, dtype=dtype)).item()
    expected = [
        (0.0, 2), (-0.0, 2), (0.49, 2), (0.5, 3), (0.74, 3), (0.75, 4), (1.0, 5), (below, 5),
        (2.0, 6), (2.49, 6), (2.5, 7), (3.0, 8), (3.99, 9), (4.0, 9), (1e9, 9),
        (-1e-9, 0), (-0.99, 0), (-1.0, 1), (-1.99, 1),
    ]  # fmt: skip
    index, active = hg.gate(torch.tensor([x for x, _ in expected], dtype=dtype), neuron)
    assert index.tolist() == [which for _, which in expected]
    assert (active == 1).all()


def test_beyond_the_last_octave_one_side_is_silent_and_the_other_saturates() -> None:
    neuron = build(*BOTH)
    x = torch.tensor([-2.0, -5.0, -1e30, 4.0, 5.0, 1e30], dtype=torch.float64)
    coded = code_hg(x, neuron, count=True)
    assert coded.value[:3].tolist() == [0, 0, 0]
    assert coded.counts is not None
    assert coded.counts.tolist() == [0, 0, 0, STEPS, STEPS, STEPS]
    last = neuron.offset[-1] + neuron.slope[-1] * 0.5 * (1 - 2.0 ** (1 - STEPS))
    assert coded.value[3:].tolist() == pytest.approx([last] * 3)
    for weighted in hg.spike_train(x, neuron):
        assert (weighted[:3] == 0).all()


def test_the_first_step_always_fires_and_carries_the_offset() -> None:
    neuron = build(*BOTH)
    x = torch.tensor(neuron.left[neuron.left >= 0])  # left ends: nothing is left to be coded
    index, _ = hg.gate(x, neuron)
    train = list(hg.spike_train(x, neuron))
    assert train[0].tolist() == neuron.offset[index].tolist()
    assert all((weighted == 0).all() for weighted in train[1:])
    inside = torch.linspace(-1.999, 6, 400, dtype=torch.float64)
    assert (next(hg.spike_train(inside, neuron)) != 0).all()


def test_a_sub_neuron_codes_its_sub_range_in_binary_with_weights_slope_times_theta() -> None:
    # Sub-neuron 6: [2, 2.5), w = 0.5. theta(t) = 0.25, 0.125, 0.0625, ... for t = 2, 3, 4, ...
    # x = 2.33: 0.33 >= 0.25 -> 0.08 < 0.125, 0.08 >= 0.0625 -> 0.0175 < 0.03125,
    # 0.0175 >= 0.015625. So steps 1, 2, 4 and 6 fire.
    neuron = build(*BOTH)
    train = [float(w) for w in hg.spike_train(torch.tensor([2.33], dtype=torch.float64), neuron)]
    a, b = neuron.offset[6], neuron.slope[6]
    assert train == pytest.approx([a, 0.25 * b, 0, 0.0625 * b, 0, 0.015625 * b])
    coded = code_hg(torch.tensor([2.33], dtype=torch.float64), neuron, count=True)
    assert coded.value.item() == pytest.approx(sum(train))
    assert coded.counts is not None
    assert coded.counts.tolist() == [4]


def test_the_sub_neurons_are_true_fs_neurons_of_3t_numbers() -> None:
    neuron = build(*BOTH)
    sub = neuron.sub_neurons
    assert sub.theta.shape == sub.h.shape == sub.d.shape == (neuron.size, STEPS)
    assert (sub.theta[:, 0] == -torch.inf).all()
    assert sub.h[:, 0].tolist() == neuron.left.tolist()
    assert torch.equal(sub.theta[:, 1:], sub.h[:, 1:])


def test_inputs_outside_of_the_calibrated_range_are_counted() -> None:
    neuron = build(*BOTH, low=-1.5, high=3.0)
    x = torch.tensor([-1.5, 3.0, 0.0, -1.6, 3.1, -1e9, 1e9])
    assert code_hg(x, neuron, count=True).out_of_range == 4


def test_a_neuron_of_one_side_takes_all_inputs_there() -> None:
    positive_only = build(None, Octaves(0, (0,)), low=0.0)
    x = torch.tensor([-3.0, -1e-3, 0.0], dtype=torch.float64)
    index, _ = hg.gate(x, positive_only)
    assert index[2] == 0
    negative_only = build(Octaves(0, (0,), silent_beyond=True), None, high=0.0)
    coded = code_hg(torch.tensor([0.0, 1e-3], dtype=torch.float64), negative_only)
    top = negative_only.offset[0] + negative_only.slope[0] * (1 - 2.0 ** (1 - STEPS))
    assert coded.value.tolist() == pytest.approx([top, top])


def test_impossible_neurons_are_refused() -> None:
    one = Octaves(0)
    with pytest.raises(ValueError, match="time_steps"):
        HG("exp", 0, one, None, np.ones(1), np.ones(1), -1.0, 0.0)
    with pytest.raises(ValueError, match="time_steps"):
        HG("exp", 33, one, None, np.ones(1), np.ones(1), -1.0, 0.0)
    with pytest.raises(ValueError, match="one sign"):
        HG("exp", 4, None, None, np.ones(0), np.ones(0), -1.0, 0.0)
    with pytest.raises(ValueError, match="of 2 sub-ranges, none may have a start"):
        HG("exp", 4, None, Octaves(0, (0,), start=1.0), np.ones(2), np.ones(2), -1.0, 0.0)
    with pytest.raises(ValueError, match="1 sub-ranges"):
        HG("exp", 4, one, None, np.ones(2), np.ones(2), -1.0, 0.0)
    with pytest.raises(ValueError, match="slopes"):
        HG("exp", 4, one, None, np.ones(1), np.ones(2), -1.0, 0.0)

from __future__ import annotations

import pytest
import torch

from las.neurons import FS, fs


def neuron(theta: list[float], h: list[float], d: list[float]) -> FS:
    return FS(*(torch.tensor(values, dtype=torch.float64) for values in (theta, h, d)))


def test_the_recursion_of_eqs_1_and_2_by_hand() -> None:
    # theta = 4 2 1, h = 3 2 0.5, d = 10 20 40; v(1) = 5:
    # 5 >= 4: s = 1, v = 2.  2 >= 2 (Theta(0) = 1): s = 1, v = 0.  0 < 1: s = 0.  10 + 20 = 30.
    # v(1) = 3.5: 3.5 < 4; 3.5 >= 2: v = 1.5; 1.5 >= 1: v = 1.  20 + 40 = 60.
    # v(1) = -1: silent.
    three = neuron([4, 2, 1], [3, 2, 0.5], [10, 20, 40])
    x = torch.tensor([5.0, 3.5, -1.0], dtype=torch.float64)
    spikes = torch.stack(list(fs.spike_train(x, three)))
    assert spikes.T.tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert fs.output(x, three).tolist() == [30, 60, 0]


def test_one_step_returns_the_membrane_after_the_reset() -> None:
    three = neuron([4, 2, 1], [3, 2, 0.5], [10, 20, 40])
    v = torch.tensor([5.0, 3.5], dtype=torch.float64)
    spikes, v = fs.step(v, 1, three)
    assert (spikes.tolist(), v.tolist()) == ([1, 0], [2.0, 3.5])
    spikes, v = fs.step(v, 2, three)
    assert (spikes.tolist(), v.tolist()) == ([1, 1], [0.0, 1.5])
    spikes, v = fs.step(v, 3, three)
    assert (spikes.tolist(), v.tolist()) == ([0, 1], [0.0, 1.0])


def test_binary_weights_are_the_identity_up_to_the_last_digit() -> None:
    digits = [2.0**-t for t in range(1, 11)]
    x = torch.linspace(0, 1, 1000, dtype=torch.float64)[:-1]
    expected = torch.floor(x * 1024) / 1024
    assert torch.equal(fs.output(x, neuron(digits, digits, digits)), expected)


def test_each_element_may_have_parameters_of_its_own() -> None:
    two = FS(*(torch.tensor([[1.0, 0.5], [10.0, 5.0]]) for _ in range(3)))
    assert fs.output(torch.tensor([1.6, 16.0]), two).tolist() == [1.5, 15.0]


def test_shapes_must_agree_and_hold_one_step_at_least() -> None:
    with pytest.raises(ValueError, match="one shape"):
        neuron([1, 2], [1, 2], [1])
    with pytest.raises(ValueError, match="T >= 1"):
        neuron([], [], [])

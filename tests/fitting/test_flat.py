"""One FS neuron for a whole function."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from las.fitting import FUNCTIONS, Budget, fit, fit_flat
from las.fitting.fit import evaluate
from las.neurons import HG, Octaves, code_hg, fs, hg

RANGES = {
    "exp": (-65536.0, 0.0),
    "reciprocal": (0.99, 1034.0),
    "inverse_sqrt": (1e-3, 50.0),
    "square": (-8.0, 30.0),
    "gelu": (-9.0, 12.0),
    "tanh": (-5.0, 5.0),
}


def test_a_trace_by_hand() -> None:
    """Of [-1, 1) in T = 4: -1/4 is 3/4 from the left end, 2/4 and 1/4 of which are coded."""
    neuron = HG("tanh", 4, None, Octaves(1, start=-1.0), np.array([-0.5]), np.array([2.0]), -3, 3)
    assert neuron.sub_neurons.theta.tolist() == [[-np.inf, 1.0, 0.5, 0.25]]
    assert neuron.sub_neurons.h.tolist() == [[-1.0, 1.0, 0.5, 0.25]]
    x = torch.tensor([-0.25, -9.0, 9.0, 0.5], dtype=torch.float64)
    train = torch.stack(list(hg.spike_train(x, neuron)))
    assert train.T.tolist() == [
        [-0.5, 0.0, 1.0, 0.5],
        [-0.5, 0.0, 0.0, 0.0],
        [-0.5, 2.0, 1.0, 0.5],
        [-0.5, 2.0, 1.0, 0.0],
    ]
    coded = code_hg(x, neuron, count=True)
    assert coded.value.tolist() == [1.0, -0.5, 3.0, 2.5]
    assert coded.counts is not None
    assert coded.counts.tolist() == [3, 1, 4, 3]
    assert coded.out_of_range == 2


@pytest.mark.parametrize("name", sorted(RANGES))
@pytest.mark.parametrize("steps", [1, 2, 10, 16])
def test_it_is_one_fs_neuron_of_t_steps_on_both_paths(name: str, steps: int) -> None:
    low, high = RANGES[name]
    one = fit_flat(FUNCTIONS[name], low, high, steps)
    assert one.neuron.size == 1
    assert one.neuron.sub_neurons.theta.shape == (1, steps)
    x = torch.cat([torch.linspace(low, high, 999), torch.randn(999)]).double()
    value = code_hg(x, one.neuron).value
    (only,) = (fs.FS(*(part[0] for part in vars(one.neuron.sub_neurons).values())),)
    assert torch.allclose(fs.output(x, only), value, rtol=0, atol=1e-12 * value.abs().max().item())
    assert code_hg(x.float(), one.neuron).value.isfinite().all()


def test_relu_needs_no_hierarchy() -> None:
    """Silent below zero, x above: saturation does it."""
    one = fit_flat(FUNCTIONS["relu"], -5.0, 7.0, 16)
    assert one.max_error < 7 * 2.0**-14
    below, _ = evaluate(one.neuron, np.linspace(-5, 0, 99))
    assert np.ptp(below) == 0


@pytest.mark.parametrize("name", ["exp", "gelu", "reciprocal", "square"])
def test_other_functions_do(name: str) -> None:
    low, high = RANGES[name]
    flat, whole = (how(FUNCTIONS[name], low, high, 16) for how in (fit_flat, fit))
    assert not flat.met
    assert whole.met
    assert flat.mean_error > 1000 * whole.mean_error


def test_no_other_line_does_better() -> None:
    """tanh by hand: start -1, width 2, slope a, offset -a; the error at 1 and far out are alike."""
    one = fit_flat(FUNCTIONS["tanh"], -5.0, 5.0, 16, Budget(1.0, 0.0))
    assert one.neuron.positive == Octaves(1, start=-1.0 - 2.0**-15)
    assert 0.85 < one.neuron.slope[0] < 1.0
    assert one.neuron.offset[0] == pytest.approx(-one.neuron.slope[0], abs=1e-3)
    assert one.met


def test_masked_entries_stay_silent() -> None:
    one = fit_flat(FUNCTIONS["exp"], -65536.0, 0.0, 16)
    x = torch.tensor([-torch.inf, -1e4, 0.0])
    coded = code_hg(x, one.neuron, count=True)
    assert coded.counts is not None
    assert coded.counts[:2].tolist() == [0, 0]
    assert coded.value[:2].tolist() == [0, 0]
    assert coded.value[2] > 0


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("gelu", 1.0, 1.0), ("gelu", 0.0, float("inf")), ("reciprocal", 0.0, 1.0), ("exp", -1, 0.5)],
)
def test_impossible_ranges_are_refused(name: str, low: float, high: float) -> None:
    with pytest.raises(ValueError, match=name):
        fit_flat(FUNCTIONS[name], low, high, 16)

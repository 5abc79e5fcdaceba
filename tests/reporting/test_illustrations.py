"""The arrays behind Figures 1, 3 and 4."""

from __future__ import annotations

import numpy as np
import pytest

from las.fitting.fit import fit
from las.fitting.functions import FUNCTIONS
from las.neurons.oat import OAT
from las.reporting.figures.fits import function_and_fit
from las.reporting.figures.information import one_threshold_and_two
from las.reporting.figures.outliers import most_prominent

CALM = np.ones(8)
SPIKY = np.array([1.0, 1.0, 1.0, 900.0, 1.0, 1.0, 1.0, 1.0])


def test_the_kind_of_site_with_the_largest_outliers_is_shown() -> None:
    maxima = {
        "layers.0.attn.in": CALM,
        "layers.0.mlp.in": SPIKY,
        "layers.1.attn.in": CALM,
        "layers.1.mlp.in": SPIKY,
        "head.in": 1e6 * SPIKY,
    }
    picture = most_prominent("m", "M", maxima)
    assert picture is not None
    assert picture.site == "layers.*.mlp.in"
    assert picture.maximum.shape == (2, 8)


def test_a_model_without_repeated_layers_has_no_most_prominent() -> None:
    assert most_prominent("m", "M", {"head.in": SPIKY}) is None


def test_one_threshold_loses_what_two_keep() -> None:
    # Most values near 1, one in 100,000 near 1,000; T=8 gives one threshold a step of about 4 / 5.
    edges = np.geomspace(0.01, 2000, 65)
    counts = np.where(edges[:-1] < 2, 1000, 0)
    counts[-3] = 1
    neuron = OAT(taus=(2.0, 1200.0), gates=(3.0,), time_steps=8, levels=5)
    picture = one_threshold_and_two("m", "M", "s", neuron, edges, counts)
    small = np.abs(picture.values) < 2
    lost = np.abs(picture.one_threshold - picture.values)[small].mean()
    kept = np.abs(picture.two_thresholds - picture.values)[small].mean()
    assert kept < lost / 50
    assert edges[-4] < np.abs(picture.values).max() <= 1.001 * edges[-3]
    outliers = np.abs(picture.values) >= 3
    assert np.array_equal(picture.one_threshold[outliers], picture.two_thresholds[outliers])


def test_an_empty_histogram_is_refused() -> None:
    neuron = OAT(taus=(2.0, 1200.0), gates=(3.0,))
    with pytest.raises(ValueError, match="empty"):
        one_threshold_and_two("m", "M", "s", neuron, np.array([1.0, 2.0]), np.zeros(1))


def test_a_fit_is_shown_beside_its_function() -> None:
    neuron = fit(FUNCTIONS["gelu"], -6.0, 30.0, 16).neuron
    picture = function_and_fit("m", "M", neuron)
    assert (picture.x[0], picture.x[-1]) == (-6.0, 8.0)
    assert picture.sub_neurons == neuron.size
    assert np.abs(picture.output - picture.target).max() < 1e-3

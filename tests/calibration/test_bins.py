from __future__ import annotations

import numpy as np

from las.calibration import bins


def test_an_octave_has_sixteen_equal_bins() -> None:
    edges = bins.edges()
    assert len(edges) == bins.BINS + 1
    assert (np.diff(edges) > 0).all()
    one = int(np.flatnonzero(edges == 1.0)[0])
    assert edges[one : one + 17].tolist() == [1 + i / 16 for i in range(17)]
    assert edges[0] == 2.0**-40
    assert edges[-1] == 2.0**40


def test_a_bin_is_never_wider_than_a_sixteenth_of_its_values() -> None:
    edges = bins.edges()
    assert (np.diff(edges) / edges[:-1]).max() <= 1 / 16

"""The figure of N sub-neurons against error, from fits that are made for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from las.reporting.figures.sub_neurons import sub_neurons_picture
from las.reporting.sub_neurons import ERRORS, RANGES, SubNeurons, sub_neurons


@pytest.fixture(scope="module")
def fits() -> list[SubNeurons]:
    return sub_neurons()


def test_every_budget_is_kept_with_more_sub_neurons(fits: list[SubNeurons]) -> None:
    assert [one.function for one in fits] == list(RANGES)
    for one in fits:
        assert one.sizes[0] == 1
        assert list(one.sizes) == sorted(set(one.sizes))
        assert all(e <= asked for e, asked in zip(one.errors[1:], ERRORS, strict=True))
        assert one.errors[0] > max(one.errors[1:])
        assert one.relative == (one.function in ("reciprocal", "inverse_sqrt"))


def test_the_figure_is_drawn(fits: list[SubNeurons], tmp_path: Path) -> None:
    picture = sub_neurons_picture(fits, tmp_path)
    assert picture.path.name == "sub_neurons.png"
    with Image.open(picture.path) as image:
        assert len(image.convert("RGB").getcolors(2**24)) > 50

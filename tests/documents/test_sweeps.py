"""The page of the sweeps holds what its file of data says."""

from __future__ import annotations

import pytest

from las.reporting.swept import read_swept, sweeps
from pipeline.paths import ROOT
from pipeline.sweeps import MARK, page

DOCS = ROOT / "docs"


def test_the_tables_are_those_of_the_data() -> None:
    text = (DOCS / "sweeps.md").read_text()
    assert page(read_swept(DOCS / "sweeps.csv"), text) == text


def test_every_sweep_is_whole() -> None:
    for sweep in sweeps(read_swept(DOCS / "sweeps.csv")):
        assert {16} < sweep.over("time_steps").keys() <= set(range(4, 17)), sweep.name
        assert {5} < sweep.over("levels").keys() <= set(range(1, 17)), sweep.name


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="between two lines"):
        page([], f"one {MARK} alone")

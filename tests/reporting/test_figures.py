"""Figures are drawn from arrays alone, and the same arrays give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from las.reporting.figures import (
    anytime,
    baselines,
    fits,
    frontier,
    information,
    levels,
    losslessness,
    outliers,
    recorded,
    steps,
)
from las.reporting.figures.style import figure_of
from las.reporting.figures.sweep import Series
from tests.reporting.conftest import events_of

RNG = np.random.default_rng(0)
X = np.linspace(-4.0, 4.0, 401)
VALUES = np.concatenate([RNG.normal(0, 1, 500), [300.0, -200.0]])
MAXIMUM = np.abs(RNG.normal(0, 1, (4, 32))) + 0.1
SWEEP = [
    Series("a", [8, 10, 16], [1e-2, 1e-3, 1e-5], [1e-4, 1e-4, 1e-6], reference=1e-5),
    Series("cited", [8, 16], [1e-1, 1e-2], cited=True),
]
EVENTS = events_of("h.0.mlp.act", "hg:gelu", (3, 8))

POINTS = [(8, 1e-2, 0.4), (16, 1e-5, None)]

DRAWINGS: list[Callable[[Path], Path]] = [
    lambda path: outliers.draw(path, MAXIMUM, "outliers"),
    lambda path: outliers.draw(path, np.zeros((2, 3)), "silent layers"),
    lambda path: information.draw(path, VALUES, np.round(VALUES), VALUES * 0.999, "codes"),
    lambda path: fits.draw(path, X, np.exp(X), np.exp(X) + 1e-4, "exp"),
    lambda path: steps.draw(path, SWEEP, "score", "T"),
    lambda path: levels.draw(path, SWEEP, "H"),
    lambda path: losslessness.draw(path, SWEEP, "KL"),
    lambda path: anytime.draw(path, SWEEP, "KL after t"),
    lambda path: recorded.draw_raster(path, [EVENTS], ["a $b", "\n", " "], "spikes"),
    lambda path: recorded.draw_rates(path, np.array([[0.1, 0.9], [0, np.nan]]), "ab", "rates"),
    lambda path: baselines.draw(path, POINTS, {"a": POINTS, "a, fine-tuned": POINTS[:1]}, "KL"),
    lambda path: baselines.draw(path, [], {str(i): POINTS for i in range(14)}, "many"),
]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_two_drawings_are_equal_to_the_byte(draw: Callable[[Path], Path], tmp_path: Path) -> None:
    first = draw(tmp_path / "a" / "one.png").read_bytes()
    second = draw(tmp_path / "b" / "two.png").read_bytes()
    assert first == second
    pdfs = [tmp_path / "a" / "one.pdf", tmp_path / "b" / "two.pdf"]
    assert pdfs[0].read_bytes() == pdfs[1].read_bytes()
    assert first.startswith(b"\x89PNG")


def test_a_figure_names_no_version_and_no_date(tmp_path: Path) -> None:
    content = levels.draw(tmp_path / "h.png", SWEEP, "H").read_bytes()
    assert b"Software" not in content
    assert b"tIME" not in content
    pdf = (tmp_path / "h.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert not any(name in pdf for name in (b"Producer", b"Creator", b"CreationDate"))


def test_every_point_of_the_frontier_is_inside_its_panel() -> None:
    points = [
        frontier.Point(f"16/{h}", 1e-6, {"paper": x}, False, h == 5, None)
        for h, x in ((1, 1.9), (5, 0.7), (15, 0.4))
    ]
    with figure_of(4, 3) as figure:
        axes = figure.subplots()
        frontier.panel(axes, "paper", "Eq. 25", points)
    low, high = axes.get_xlim()
    assert low == 0
    assert high > 1.9 * 1.05

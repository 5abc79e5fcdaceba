"""Figures are drawn from arrays alone, and the same arrays give the same bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from las.energy import HARDWARE, accounts, estimate
from las.neurons.tally import OperationCount, SiteCount, SpikeTally
from las.reporting.figures import (
    anytime,
    baselines,
    fits,
    frontier,
    information,
    labels,
    levels,
    losslessness,
    outliers,
    recorded,
    steps,
)
from las.reporting.figures.style import CYCLE, drawing, figure_of, marks
from las.reporting.figures.sweep import Series
from las.reporting.results import load_results
from tests.reporting.conftest import (
    events_of,
    make_tally,
    similarity_scores,
    text_scores,
    write_cell,
)

Grid = tuple[Path, list[dict[str, str]]]
HOROWITZ = HARDWARE["horowitz_45nm"]

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
        frontier.Point(series, f"{h}", 1e-6, {"paper": x}, {})
        for series, h, x in ((frontier.LEVELS, 1, 1.9), (frontier.STEPS, 5, 0.7))
    ]
    far = frontier.Point(frontier.OTHERS, "", 1e-6, {"paper": 14.0}, {})
    with figure_of(4, 3) as figure:
        axes = figure.subplots()
        frontier.panel(axes, "paper", "Eq. 25", [*points, far])
    low, high = axes.get_xlim()
    assert low == 0
    assert 1.9 * 1.05 < high < 3  # what others take does not press ours together


def test_labels_cover_neither_points_nor_each_other() -> None:
    """Of a hundred labels on a narrow diagonal a few find room, the first ones first."""
    steps = np.linspace(0, 1, 100)
    points = [(float(x), float(x)) for x in steps]
    with figure_of(4, 3) as figure:
        axes = figure.subplots()
        axes.plot(steps, steps, "o")
        figure.draw_without_rendering()
        written = labels.place(
            axes, [labels.Label(f"label {i}", x, y, "black") for i, (x, y) in enumerate(points)],
            points[::25],
        )  # fmt: skip
        boxes = [text.get_window_extent() for text in axes.texts]
        assert written[0] == "label 0"
        assert 5 < len(boxes) == len(written) < 60
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        drawn = [axes.transData.transform(point) for point in points[::25]]
        assert not any(box.contains(*place) for box in boxes for place in drawn)
        edge = axes.get_window_extent()
        assert all(edge.x0 <= box.x0 and box.x1 <= edge.x1 for box in boxes)


def test_a_model_that_is_stopped_is_shown_where_it_loses_little(grid: Grid) -> None:
    """The loss after t steps is 4^(16 - t) 1e-9, and at t = 1 more than 0.3."""
    found = frontier.stopped_points(load_results(*grid), "tiny-lm", HOROWITZ)
    assert [point.label for point in found] == [f"{t}" for t in range(2, 17)]
    assert [point.loss for point in found] == [4.0 ** (16 - t) * 1e-9 for t in range(2, 17)]
    expected = estimate(make_tally(5, layers=2)).total.ratio
    assert {point.ratios["paper"] for point in found} == {expected}


def test_the_floor_is_one_plain_spike_for_each_input_that_fires() -> None:
    """Of 16 inputs 12 fire, 20 spikes of 34 digits; each is read by 4."""
    tally = SpikeTally(tokens=1)
    tally.sites["up.site"] = SiteCount("oat", 12, 16, 20, digits=34, active=12, levels=5)
    tally.operations["up"] = OperationCount(
        "up", "linear", sops=80, macs=64, additions=136, fetches=48, inputs=16, outputs=4
    )
    once = frontier.fired_once(tally)
    assert (once.sites["up.site"].spikes, once.sites["up.site"].digits) == (12, 12)
    assert (once.operations["up"].sops, once.operations["up"].additions) == (48, 48)
    assert accounts(once)["paper"].ratio == pytest.approx(48 * 0.9 / (64 * 4.6))


@pytest.mark.usefixtures("undrawn")
def test_released_thresholds_have_a_figure_and_a_line_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = {"threshold_rule": "released", "name": "-released", "rounding": "floor"}
    cells = [
        write_cell(tmp_path, model, suite, t, 5, scores, **options)
        for options in ({}, released)
        for t in (16, 10)
        for model, suite, scores in (
            ("tiny-encoder", "similarity", similarity_scores(t)),
            ("tiny-lm", "text", text_scores(t, 5)),
        )
    ]
    results = load_results(tmp_path, cells)
    names = [picture.path.name for picture in steps.steps_pictures(results, tmp_path)]
    rest = "similarity_spiking_released"
    assert names == ["steps_tiny-encoder.png", f"steps_tiny-encoder_{rest}.png"]
    drawn: list[str] = []
    monkeypatch.setattr(
        losslessness, "draw", lambda path, lines, _: drawn.extend(line.name for line in lines)
    )
    losslessness.losslessness_pictures(results, tmp_path)
    assert drawn == ["Tiny-LM <b>, H = 5", "Tiny-LM <b>, H = 5, released thresholds"]


def test_on_the_line_over_t_is_the_default_neuron_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cell by the paper's rule is no line, two are one of their own; budgets are in none."""
    drawn: list[Series] = []
    monkeypatch.setattr(losslessness, "draw", lambda path, series, title: drawn.extend(series))
    root = tmp_path / "results"
    cells = [
        write_cell(root, "tiny-lm", "text", t, 5, text_scores(t, 5), name=name, **options)
        for t, name, options in (
            *((16, "", {}), (10, "", {})),
            *((16, "-paper", {"threshold_rule": "paper"}), (16, "-frugal", {"budget": 1e-3})),
        )
    ]
    losslessness.losslessness_pictures(load_results(root, cells), tmp_path)
    (line,) = drawn
    assert (line.name, line.x) == ("Tiny-LM <b>, H = 5", [10, 16])
    again = {"threshold_rule": "paper"}
    scores = text_scores(10, 5)
    cells.append(write_cell(root, "tiny-lm", "text", 10, 5, scores, name="-paper", **again))
    drawn.clear()
    losslessness.losslessness_pictures(load_results(root, cells), tmp_path)
    assert [one.name for one in drawn] == [line.name, f"{line.name}, paper thresholds"]


def test_a_long_title_is_broken_into_lines(tmp_path: Path) -> None:
    title = "A model with a long name, trained on two thirds of a validation split: ablations"
    with drawing(tmp_path / "long.png", 4.0, 2.0) as figure:
        axes = figure.subplots()
        axes.set_yticks([0, 1], ["a label", "another, which takes room"])
        left, above = axes.set_title(title), figure.suptitle(title)
        short = axes.set_xlabel("x")
    for text in (left, above):
        assert text.get_text().replace("\n", " ") == title
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert short.get_text() == "x"


def test_series_are_told_apart_by_colour_and_marker() -> None:
    """Six colours and six markers: of 36 series no two look alike."""
    first = list(itertools.islice(marks(), 36))
    assert len(set(first)) == 36
    assert first[:6] == list(CYCLE)

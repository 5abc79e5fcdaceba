"""Published conversions in the report: beside LAS, on the same model and evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from las.baselines import METHODS as PUBLISHED
from las.baselines import convert, left_float
from las.errors import UnsupportedModelError
from las.reporting.figures import baselines as figure
from las.reporting.figures import frontier
from las.reporting.report import write_report
from las.reporting.results import load_results
from las.reporting.table import text
from las.reporting.tables.all_scores import all_scores
from las.reporting.tables.baselines import FLOAT, baselines
from tests.reporting.conftest import text_scores, write_baseline, write_cell
from tests.tiny_models import plain

Grid = tuple[Path, list[dict[str, str]]]
METHODS = [("srp", 16), ("srp", 8), ("ecmt", 8)]


@pytest.fixture
def swept(grid: Grid) -> Grid:
    """A tree with two methods on the language model, one of them at two T."""
    results, cells = grid
    others = [
        write_baseline(results, "tiny-lm", "text", method, steps, text_scores(steps, 1))
        for method, steps in METHODS
    ]
    return results, [*cells, *others]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What would be drawn."""
    calls: list[tuple] = []
    monkeypatch.setattr(figure, "draw", lambda *given: calls.append(given))
    return calls


def test_lines_go_over_time_steps_with_las_at_the_paper_levels(swept: Grid, drawn: list) -> None:
    results = load_results(*swept)
    (picture,) = figure.baselines_pictures(results, Path())
    assert picture.path.name == "baselines_tiny-lm_text.png"
    ((_, own, others, _),) = drawn
    # The made-up divergence is 4^(12 - T) x 1e-4 / H.
    assert [(t, kl) for t, kl, _ in own] == [
        (t, pytest.approx(4.0 ** (12 - t) * 2e-5)) for t in (8, 10, 12, 16)
    ]
    assert {name: [t for t, _, _ in line] for name, line in others.items()} == {
        "srp": [8, 16],
        "ecmt": [8],
    }
    (first, *_) = results.baselines
    assert first.energy is not None
    assert others["srp"][1][2] == first.energy.total.ratio


def test_las_has_one_point_at_each_t(swept: Grid, drawn: list) -> None:
    results, cells = swept
    wide = write_cell(results, "tiny-lm", "text", 8, 5, text_scores(9, 5), name="-wide", margin=4.0)
    figure.baselines_pictures(load_results(results, [wide, *cells]), Path())
    ((_, own, *_),) = drawn
    assert [(t, kl) for t, kl, _ in own][:2] == [
        (t, pytest.approx(4.0 ** (12 - t) * 2e-5)) for t in (8, 10)
    ]


def test_the_frontier_says_at_which_t_they_are(swept: Grid) -> None:
    results, cells = swept
    more = write_baseline(results, "tiny-lm", "text", "ecmt", 64, text_scores(12, 1))
    drawn = frontier._others(load_results(results, [*cells, more]), "tiny-lm", "text")
    assert {point.series.title for point in drawn} == {"published conversions, T = 8, 16 and 64"}
    assert len(drawn) == 4


def test_with_too_few_points_nothing_is_drawn(grid: Grid, swept: Grid, drawn: list) -> None:
    results, cells = swept
    once = [cell for cell in cells if cell["neuron"] != "srp-t8"]
    assert figure.baselines_pictures(load_results(results, once), Path()) == []
    assert figure.baselines_pictures(load_results(*grid), Path()) == []
    assert not drawn


def test_every_score_of_a_published_conversion_is_listed(swept: Grid) -> None:
    results = load_results(*swept)
    rows = [[text(cell) for cell in row.cells[2:5]] for row in baselines(results).rows]
    metrics = ("perplexity", "bits per byte")
    expected = [("LAS", t) for t in (8, 10, 12, 16)] + [("srp", 8), ("srp", 16), ("ecmt", 8)]
    assert rows == [[metric, name, str(t)] for name, t in expected for metric in metrics]
    listed = [row.cells[3:6] for row in all_scores(results).rows]
    assert [(name, t, levels) for name, t, levels in listed if name != "LAS"] == [
        (method, str(steps), None) for method, steps in METHODS for _ in metrics
    ]


def test_what_a_method_cannot_do_is_said_in_its_rows(swept: Grid) -> None:
    root, cells = swept
    fas = write_baseline(root, "tiny-lm", "text", "fas", 8, text_scores(8, 1))
    table = baselines(load_results(root, [*cells, fas]))
    cannot = {str(row.cells[3]): text(row.cells[-1]) for row in table.rows}
    assert table.columns[-1] == "Cannot"
    assert cannot == {
        "LAS": "–",
        "srp": "spike in norms, activation functions, attention; keep a cache",
        "ecmt": "spike in norms, activation functions, attention; keep a cache",
        "fas": "spike in norms, activation functions, attention, other linear layers; keep a cache",
    }
    assert "without the steps of a warm-up, 4 of srp." in table.notes[0]


@pytest.mark.parametrize("sites", FLOAT)
def test_what_is_said_to_stay_float_does(sites: str) -> None:
    model = plain.make(LlamaForCausalLM, num_hidden_layers=1, vocab_size=64)
    method = next(one for one in PUBLISHED.values() if one.sites == sites)
    tokens = torch.arange(24).reshape(2, 12)
    convert(model, [{"input_ids": tokens}], replace(method, time_steps=2))
    found = left_float(model)
    assert found.pop("attention's products and softmax") == 1
    layers = found.pop("Linear", 0)
    kinds = {"RotaryEmbedding": "", "RMSNorm": "norms", "SiLU": "activation functions"}
    for kind in found:  # and nothing else is there
        (said,) = (said for part, said in kinds.items() if part in kind)
        assert said in FLOAT[sites]
    assert ("other linear layers" in FLOAT[sites]) == bool(layers)
    assert "attention" in FLOAT[sites]
    with pytest.raises(UnsupportedModelError, match="keeps no cache"):
        model(tokens, use_cache=True)


@pytest.mark.usefixtures("undrawn")
def test_the_page_shows_them_where_there_are_any(swept: Grid, grid: Grid) -> None:
    report = write_report(*swept, swept[0] / "reports")
    assert 'id="baselines"' in report.index.read_text()
    assert "baselines_tiny-lm_text.png" in [picture.path.name for picture in report.pictures]
    assert 'id="baselines"' not in write_report(*grid, swept[0] / "none").index.read_text()

"""The whole report, from a results tree to a page."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from las.calibration import bins
from las.calibration.statistics import SiteStatistics, Statistics
from las.calibration.thresholds import SiteThresholds, Thresholds
from las.errors import LasError
from las.fitting.fit import fit
from las.fitting.functions import FUNCTIONS
from las.fitting.model_functions import FittedFunctions
from las.reporting.report import Report, write_report
from las.reporting.results import load_cell, load_results
from las.spikes import SpikeEvents
from tests.reporting.conftest import text_scores, write_cell, write_spikes

Grid = tuple[Path, list[dict[str, str]]]


class Links(HTMLParser):
    """Collects everything a browser would fetch, and the tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_written_whole(written: Report) -> None:
    report = written
    names = {path.name for path in (report.index.parent / "tables").iterdir()}
    for table in ("table1", "table2", "table3", "table5", "table6", "losslessness_text", "scores"):
        assert {f"{table}.md", f"{table}.csv"} <= names
    suffixes = (".md", ".csv", ".tex")
    assert names == {f"{t.slug}{suffix}" for t in report.tables for suffix in suffixes}
    assert all(p.path.with_suffix(".pdf").read_bytes()[:5] == b"%PDF-" for p in report.pictures)
    assert {picture.path.name for picture in report.pictures} == {
        "losslessness.png",
        "anytime.png",
        "steps_tiny-encoder.png",
        "levels.png",
        "sweeps.png",
        "frontier_tiny-lm_text.png",
        "frontier_tiny-encoder_similarity.png",
        *[f"accounts_{what}_tiny-{model}.png" for what in ("kind", "layer")
          for model in ("lm", "encoder")],
        "raster_tiny-lm-t16h5.png",
        "rates_tiny-lm-t16h5.png",
    }  # fmt: skip
    assert len({table.slug for table in report.tables}) == len(report.tables)


def test_the_page_fetches_nothing(written: Report) -> None:
    page = written.index.read_text()
    links = Links()
    links.feed(page)
    assert not links.open
    assert links.targets
    elsewhere = [t for t in links.targets if not t.startswith(("data:image/png;base64,", "#"))]
    assert elsewhere == ["accounts/tiny-lm.html", "accounts/tiny-encoder.html"]  # to go to
    assert all((written.index.parent / target).is_file() for target in elsewhere)
    assert not re.search(r"url\(|@import|<script|<link", page)


def test_names_are_escaped(written: Report) -> None:
    page = written.index.read_text()
    assert "Tiny-LM &lt;b&gt;" in page
    assert "<b>" not in page


def test_computed_and_cited_rows_are_told_apart(written: Report) -> None:
    page = written.index.read_text()
    assert '<span class="badge">cited</span>' in page
    assert '<span class="badge">computed</span>' in page


def test_the_same_results_give_the_same_bytes(written: Report, grid: Grid, tmp_path: Path) -> None:
    spikes = write_spikes(tmp_path / "spikes").parent
    output = tmp_path / "reports"
    write_report(*grid, output, revision="abc + changes", date="2026-11-28", spikes=spikes)
    one = written.index.parent
    files = {path.relative_to(one) for path in one.rglob("*.*")}
    assert {path.suffix for path in files} == {".html", ".md", ".csv", ".tex", ".png", ".pdf"}
    for path in files:
        assert (one / path).read_bytes() == (output / path).read_bytes()


def test_a_computed_row_says_how_it_was_computed(written: Report) -> None:
    with (written.index.parent / "tables" / "table1.csv").open() as file:
        rows = list(csv.DictReader(file))
    ann, snn = (row for row in rows if row["source"] == "computed")
    items = "PIQA: 60 of 1,000; ARC-Easy: 60 of 1,000; RTE: 60 of 1,000"
    told = {
        "source: model": "Tiny-LM <b>",
        "source: T": "16",
        "source: H": "5",
        "source: items": items,
        "source: revision": "abc + changes",
        "source: date": "2026-11-28",
        "PIQA stderr": "1",
    }
    assert {name: snn[name] for name in told} == told
    assert (ann["source: T"], ann["source: H"]) == ("N/A", "–")
    cited = [row for row in rows if row["source"] == "cited"]
    assert all(row["source: cited from"].endswith("Table 1") for row in cited)
    page = written.index.read_text()
    assert items in page
    assert "<dt>date of the revision</dt><dd>2026-11-28</dd>" in page


def test_a_cell_without_results_is_named(written: Report) -> None:
    page = written.index.read_text()
    assert "Cells of the grid without results: tiny-lm/t6h5/text." in page


@pytest.mark.usefixtures("undrawn")
def test_the_page_says_what_the_cheapest_budget_wins(grid: Grid, tmp_path: Path) -> None:
    results, cells = grid
    frugal = [
        write_cell(results, "tiny-lm", "text", 16, h, text_scores(16, h), name="-b", budget=1e-3)
        for h in (1, 16)
    ]
    page = write_report(results, [*cells[:2], *frugal], tmp_path / "reports").index.read_text()
    (told,) = re.findall(
        r"text, the cheapest neurons with a budget \((.*?)\), under all accounts: (.*?) of the",
        page,
    )
    assert told[0] == "frugal 0.001, T≤16, H=16"  # whose made-up spikes are fewest
    assert told[1].startswith("By Eq. 25 the spiking model takes 0.")


@pytest.mark.usefixtures("undrawn")
def test_a_report_on_nothing_shows_the_paper_alone(tmp_path: Path) -> None:
    report = write_report(tmp_path / "results", [], tmp_path / "reports")
    page = report.index.read_text()
    assert "Nothing that was converted by the whole of LAS has results yet." in page
    assert "LAS (OPT-66B)" in page
    assert not report.pictures


def test_outliers_codes_and_fits_are_shown(grid: Grid, tmp_path: Path) -> None:
    results, cells = grid
    spiking = tmp_path / "spiking"
    edges, calm, spiky = bins.edges(), np.ones(8), np.array([1.0] * 7 + [900.0])
    histogram = np.where((edges[:-1] > 0.01) & (edges[:-1] < 2), 1000.0, 0.0)
    histogram[np.searchsorted(edges, 900.0) - 1] = 1.0
    sites = {
        f"layers.{i}.{name}": SiteStatistics(
            "oat", count=8, low=-peak.max(), high=1.0, histogram=histogram, channel_peak=peak
        )
        for i in (0, 1)
        for name, peak in (("attn", calm), ("mlp", spiky))
    }
    Statistics("base", "llama", sites).save(spiking / "tiny-lm" / "statistics.safetensors")
    Thresholds({name: SiteThresholds((2.0, 1000.0), (3.0,)) for name in sites}).save(
        spiking / "tiny-lm" / "neurons" / "t16h5" / "thresholds.json"
    )
    fitted = FittedFunctions(
        {name: fit(FUNCTIONS[name], -9.0, 0.0, 16) for name in ("gelu", "exp")}
    )
    fitted.save(spiking / "tiny-lm" / "neurons" / "t16h5" / "functions.safetensors")
    report = write_report(results, cells[:1], tmp_path / "reports", spiking)
    titles = [picture.title for picture in report.pictures]
    assert "Figure 1 (a). Tiny-LM <b>: outliers, layers.*.mlp" in titles
    assert any(title.startswith("Figure 1 (b).") and "layers.0.mlp" in title for title in titles)
    assert any(title.startswith("Figure 3. Tiny-LM <b>: GELU") for title in titles)
    assert any(title.startswith("Figure 4. Tiny-LM <b>: exp(x)") for title in titles)
    (origin,) = {row.origin.weights for table in report.tables for row in table.rows
                 if row.origin and row.origin.model == "Tiny-LM <b>"}  # fmt: skip
    assert origin == "base"  # the fingerprint in the statistics
    functions = next(table for table in report.tables if table.slug == "functions")
    assert [row.cells[1] for row in functions.rows] == ["exp", "gelu"]


def test_recorded_spikes_are_shown_and_said_to_be_of_what(written: Report) -> None:
    raster, rates = (
        next(p for p in written.pictures if p.path.stem == f"{what}_tiny-lm-t16h5")
        for what in ("raster", "rates")
    )
    assert raster.title == "Tiny-LM <b>: spikes of block 0"
    assert "The first 4 of 7 tokens" in raster.caption
    assert "the first 32 channels at most, of the first head." in raster.caption
    assert "2,700 spikes of 672 neurons on all 7 tokens." in rates.caption  # 2 7 8 + 2 (7 40)
    origin = (
        'Text: the beginning of "Tea", held-out. Step simulator, T = 16, H = 5; '
        "revision abc + changes of 2026-11-28."
    )
    for picture in (raster, rates):
        assert picture.caption.endswith(origin)
        assert f'id="figure-{picture.path.stem}"' in written.index.read_text()
    assert '<h2 id="spikes">' in written.index.read_text()


@pytest.mark.usefixtures("undrawn")
def test_without_recorded_spikes_nothing_is_said_of_them(grid: Grid, tmp_path: Path) -> None:
    report = write_report(*grid, tmp_path / "reports", spikes=tmp_path / "none")
    assert 'id="spikes"' not in report.index.read_text()
    assert not [p for p in report.pictures if p.path.stem.startswith(("raster", "rates"))]


@pytest.mark.usefixtures("undrawn")
def test_a_file_of_other_content_is_named(grid: Grid, tmp_path: Path) -> None:
    path = write_spikes(tmp_path / "spikes")
    unread = SpikeEvents(SpikeEvents.load(path).sites)
    unread.save(path)
    for words in ("does not say which text was read", "is no file of spike events"):
        with pytest.raises(LasError, match=rf"tiny-lm-t16h5.npz {words}.*run the spikes stage"):
            write_report(*grid, tmp_path / "reports", spikes=path.parent)
        path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.usefixtures("undrawn")
def test_damaged_results_are_named(grid: Grid) -> None:
    results, cells = grid
    path = results / "tiny-lm" / "t16h5" / "text" / "evaluation.json"
    content = json.loads(path.read_text())
    del content["neuron"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"tiny-lm/t16h5/text.*Delete it and run the evaluate"):
        load_cell(path.parent, {"model": "tiny-lm", "neuron": "t16h5", "evaluation": "text"})
    assert load_results(results, cells).damaged == ("tiny-lm/t16h5/text (KeyError('neuron'))",)
    page = write_report(results, cells, results / "reports").index.read_text()
    assert "results are damaged, and left out: tiny-lm/t16h5/text (KeyError" in page


@pytest.mark.usefixtures("undrawn")
def test_a_cell_before_the_energy_stage_still_reports(grid: Grid, tmp_path: Path) -> None:
    results, cells = grid
    for path in results.rglob("energy.json"):
        path.unlink()
    for path in results.rglob("spikes.json"):
        path.unlink()
    report = write_report(results, cells, tmp_path / "reports")
    assert "The energy has not been estimated yet." in report.index.read_text()

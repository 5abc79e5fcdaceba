from __future__ import annotations

from dataclasses import replace

from benchmarks.records import Case, Comparison
from benchmarks.table import HEADER, render


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_holds_the_ratio_its_spread_and_the_noise(record):
    lines = render([record]).splitlines()
    assert cells(lines[0]) == list(HEADER)
    assert cells(lines[2]) == [
        "forward",
        "1 x 512",
        "SNN / ANN",
        "**1.25**",
        "1.12 to 1.38",
        "1.00 to 1.50",
        "2.00 to 2.00",
        "3",
        "2 s",
        "2 s",
        "256 / 256",
    ]
    assert cells(lines[3])[2:4] == ["SNN counting / ANN", "**2.00**"]


def test_what_was_not_measured_says_why(record):
    row = cells(render([record]).splitlines()[4])
    assert len(row) == len(HEADER)
    assert row[:4] == ["forward", "8 x 2048", "unmeasured: no time", ""]


def test_an_absolute_figure_has_its_range(record):
    case = Case("model", {"functions": [0.5, 0.25, 0.125]}, (Comparison("functions", "functions"),))
    row = cells(render([replace(record, section="fitting", cases=[case])]).splitlines()[2])
    assert row[2:4] == ["functions", ""]
    assert row[7:] == ["3", "0.25 s (0.125 to 0.5)", "", ""]


def test_sections_of_one_environment_share_its_line(record):
    other = replace(record, section="encoder")
    text = render([record, other])
    assert text.count("some processor") == 1
    assert "MALLOC_MMAP_MAX_=0" in text
    assert "  - encoder: 2026-01-01" in text
    elsewhere = replace(other, environment={**other.environment, "cpu": "another one"})
    assert render([record, elsewhere]).count("2 cores") == 2

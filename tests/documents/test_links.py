"""What the documents outside of docs/ point to exists; `mkdocs build --strict` checks docs/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    for link in links:
        if not link.startswith("https://"):
            assert (path.parent / link).exists(), link


def test_every_figure_of_the_first_page_is_among_the_results() -> None:
    results = set(re.findall(r"\d+\.\d+", (ROOT / "docs" / "results.md").read_text()))
    table = (ROOT / "README.md").read_text().partition("## What it gives")[2]
    figures = re.findall(r"\d+\.\d+", table.partition("Energy is a proxy")[0].replace("Eq. 25", ""))
    assert len(figures) > 20
    assert set(figures) <= results

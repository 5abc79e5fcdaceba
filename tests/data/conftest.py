from __future__ import annotations

import bz2
import html
from collections.abc import Callable
from pathlib import Path

import pytest


def page(title: str, text: str, extra: str = "") -> str:
    return (
        f"  <page>\n    <title>{html.escape(title)}</title>\n    <ns>0</ns>\n{extra}"
        f'    <revision>\n      <text xml:space="preserve">{html.escape(text)}</text>\n'
        "    </revision>\n  </page>\n"
    )


@pytest.fixture
def write_dump(tmp_path: Path) -> Callable[[list[str]], Path]:
    """Write pages as a bz2 dump in the format of dumps.wikimedia.org."""

    def write(pages: list[str]) -> Path:
        path = tmp_path / "pages.xml.bz2"
        with bz2.open(path, "wt", encoding="utf-8") as file:
            file.write("<mediawiki>\n  <siteinfo>\n  </siteinfo>\n")
            file.writelines(pages)
            file.write("</mediawiki>\n")
        return path

    return write

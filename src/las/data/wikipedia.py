"""Wikipedia dumps: articles as prose, pages as raw XML, split into calibration and held-out.

The split is by page: a hash of the title alone decides, so that a page never changes sides when
a dump grows, and text and raw XML of one page always lie on the same side.
"""

from __future__ import annotations

import bz2
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from las.data.hashing import position
from las.data.markup import plain_text
from las.errors import AssetError

Split = Literal["calibration", "held-out"]

HELD_OUT_SHARE = 0.25
"""Share of the pages kept out of calibration."""

_TITLE = re.compile(r"<title>(.*?)</title>")
_TEXT = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)


@dataclass(frozen=True)
class Article:
    """One article: its title, and its prose with one paragraph per line."""

    title: str
    text: str


def split_of(title: str) -> Split:
    """The side on which the page of this title lies, for ever."""
    return "held-out" if position(title) < HELD_OUT_SHARE else "calibration"


def articles(path: Path, split: Split) -> Iterator[Article]:
    """Stream the articles of one split as prose; redirects and pages without prose are skipped.

    Arguments:
        path: a MediaWiki XML export, plain or bz2.
        split: "calibration" or "held-out".

    Raises:
        AssetError: the file is not a MediaWiki export, or ends in the middle.
        FileNotFoundError: there is no such file.
    """
    for title, page in _pages(path, split):
        if "<redirect" in page or "<ns>0</ns>" not in page:
            continue
        source = _TEXT.search(page)
        text = plain_text(html.unescape(source.group(1))) if source else ""
        if text:
            yield Article(title, text)


def raw_pages(path: Path, split: Split) -> Iterator[str]:
    """Stream the raw XML of the pages of one split, as Enwik8 holds it (redirects included).

    Each item is the text from `<page>` to `</page>` with its indentation and its entities; encoded
    as UTF-8 it gives the bytes of the file. Raises as `articles` does.
    """
    for _, page in _pages(path, split):
        yield page


def _pages(path: Path, split: Split) -> Iterator[tuple[str, str]]:
    if split not in ("calibration", "held-out"):
        raise ValueError(f"split is 'calibration' or 'held-out', not {split!r}")
    if not path.is_file():
        raise FileNotFoundError(
            f"no Wikipedia dump at {path}: fetch the data assets first, or name your own dump"
        )
    found = False
    try:
        with _open(path) as lines:
            page: list[str] = []
            for line in lines:
                if line.strip() == "<page>":
                    page = [line]
                elif page:
                    page.append(line)
                    if line.strip() == "</page>":
                        text = "".join(page)
                        page = []
                        found = True
                        title = _TITLE.search(text)
                        if title is None:
                            raise AssetError(f"{path} holds a page without a title")
                        name = html.unescape(title.group(1))
                        if split_of(name) == split:
                            yield name, text
    except (EOFError, OSError, UnicodeDecodeError) as error:
        raise AssetError(f"{path} is damaged ({error}): delete it and fetch it again") from error
    if not found:
        raise AssetError(f"{path} holds no <page>: it is not a MediaWiki XML export")


def _open(path: Path) -> TextIO:
    if path.suffix == ".bz2":
        return bz2.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")

from __future__ import annotations

import html
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from las.data.wikipedia import split_of

WORDS = ["the", "a", "of", "and", "city", "river", "king", "was", "born", "wrote", "old", "new"]


@pytest.fixture
def write_dump(tmp_path: Path) -> Callable[..., Path]:
    """Write 40 pages as a dump; the seed of the held-out ones can differ.

    After each word comes the next of the list, four times out of five.
    """

    def write(name: str = "pages.xml", held_out_seed: int = 0) -> Path:
        pages = []
        for number in range(40):
            title = f"Page {number}"
            held_out = split_of(title) == "held-out"
            words = random.Random(f"{number} {held_out_seed if held_out else 0}")
            places = [0]
            for _ in range(120):
                places.append(places[-1] + words.choice([1, 1, 1, 1, words.randrange(12)]))
            text = " ".join(WORDS[place % len(WORDS)] for place in places) + "."
            pages.append(
                f"  <page>\n    <title>{html.escape(title)}</title>\n    <ns>0</ns>\n"
                f"    <text>{text}</text>\n  </page>\n"
            )
        path = tmp_path / name
        path.write_text("<mediawiki>\n" + "".join(pages) + "</mediawiki>\n")
        return path

    return write

from __future__ import annotations

import pytest

from las.data.markup import plain_text


@pytest.mark.parametrize(
    ("markup", "prose"),
    [
        ("'''Bold''' and ''italic'' words.", "Bold and italic words."),
        ("A [[town]] and a [[city|big city]].", "A town and a big city."),
        ("Text.<ref name=a>note.</ref> More.<ref name=b />", "Text. More."),
        ("It is {{convert|5|km|mi}} long{{cn|date=May {{x}}}}.", "It is 5 km long."),
        ("See [http://x.org/a the site] now.", "See the site now."),
        ("[[File:a.jpg|thumb|A [[cat]] sits.]]A dog.", "A dog."),
        ("One.\n{| class=x\n|-\n| cell.\n{|\n| inner.\n|}\n|}\nTwo.", "One.\nTwo."),
        ("== Head ==\n* item.\nBody text.", "Body text."),
        ("A<!-- hidden. --> fish &amp;nbsp;&amp; chips.", "A fish &nbsp;& chips."),
        ("Rome ({{lang-it|Roma}}; {{IPA|x}}) is old.", "Rome is old."),
        ("no sentence here", ""),
    ],
)
def test_markup_goes_and_prose_stays(markup: str, prose: str) -> None:
    assert plain_text(markup) == prose


def test_unbalanced_markup_ends() -> None:
    assert plain_text("{{ [[ {| broken.\nFine text.").endswith("Fine text.")

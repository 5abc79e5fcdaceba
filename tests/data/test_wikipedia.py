from __future__ import annotations

import bz2
from collections.abc import Callable
from pathlib import Path

import pytest

from las.data.wikipedia import articles, raw_pages, split_of
from las.errors import AssetError
from tests.data.conftest import page

WriteDump = Callable[[list[str]], Path]
TITLES = [f"Title {i}" for i in range(40)]


def test_every_page_lies_on_one_side_and_text_and_xml_on_the_same(write_dump: WriteDump) -> None:
    dump = write_dump([page(title, f"About {title}.") for title in TITLES])
    sides = {
        split: [a.title for a in articles(dump, split)] for split in ("calibration", "held-out")
    }
    assert sorted(sides["calibration"] + sides["held-out"]) == sorted(TITLES)
    assert 0 < len(sides["held-out"]) < len(sides["calibration"])
    for split, titles in sides.items():
        assert [split_of(title) for title in titles] == [split] * len(titles)
        xml = "".join(raw_pages(dump, split))
        assert all(f"<title>{title}</title>" in xml for title in titles)


def test_the_split_does_not_change_with_versions_or_machines() -> None:
    assert [split_of(t) for t in ("Alabama", "Anarchism", "Aardvark", "Autism")] == [
        "held-out",
        "calibration",
        "held-out",
        "calibration",
    ]


def test_raw_pages_are_the_bytes_of_the_file(write_dump: WriteDump) -> None:
    pages = [page(title, 'Größe & "quotes" <ref>x</ref>.') for title in TITLES]
    dump = write_dump(pages)
    raw = [*raw_pages(dump, "calibration"), *raw_pages(dump, "held-out")]
    assert sorted(raw) == sorted(pages)


def test_redirects_and_other_namespaces_are_no_articles(write_dump: WriteDump) -> None:
    dump = write_dump(
        [
            page("Anarchism", "A real article."),
            page("Autism", "#REDIRECT [[x]].", extra='    <redirect title="x" />\n'),
            page("Albedo", "A template.").replace("<ns>0</ns>", "<ns>10</ns>"),
        ]
    )
    assert [article.text for article in articles(dump, "calibration")] == ["A real article."]


def test_titles_are_decoded(write_dump: WriteDump) -> None:
    dump = write_dump([page("AT&T", "A company.")])
    assert [article.title for article in articles(dump, split_of("AT&T"))] == ["AT&T"]


def test_a_truncated_dump_is_damaged(write_dump: WriteDump) -> None:
    dump = write_dump([page(title, "Text of it. " * 50) for title in TITLES])
    dump.write_bytes(dump.read_bytes()[:-20])
    with pytest.raises(AssetError, match="fetch it again"):
        list(articles(dump, "calibration"))


def test_a_file_without_pages_is_no_dump(tmp_path: Path) -> None:
    path = tmp_path / "x.bz2"
    path.write_bytes(bz2.compress(b"hello"))
    with pytest.raises(AssetError, match="MediaWiki"):
        list(articles(path, "calibration"))


def test_a_missing_dump_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="fetch"):
        list(articles(tmp_path / "none.bz2", "calibration"))


def test_an_unknown_split_is_refused(write_dump: WriteDump) -> None:
    with pytest.raises(ValueError, match="held-out"):
        list(articles(write_dump([page("A", "B.")]), "test"))  # type: ignore[arg-type]

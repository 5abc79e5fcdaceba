from __future__ import annotations

import random

import pytest

from las.errors import AssetError
from las.files.contents import CHECKSUMS, check_contents, keep_checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "text.tsv").write_text("a text")
    (tmp_path / "weights").write_bytes(bytes(range(256)))
    keep_checksums(tmp_path)
    return tmp_path


def test_what_was_written_passes_and_further_files_do_not_matter(folder):
    check_contents(folder)
    (folder / "more").write_text("mine")
    check_contents(folder)


def test_a_flipped_bit_anywhere_is_noticed(folder):
    generator = random.Random(0)
    for name in ("deep/text.tsv", "weights", CHECKSUMS):
        whole = (folder / name).read_bytes()
        for _ in range(30):
            flipped = bytearray(whole)
            flipped[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
            (folder / name).write_bytes(flipped)
            with pytest.raises(AssetError):
                check_contents(folder)
        (folder / name).write_bytes(whole)
    check_contents(folder)


def test_a_missing_file_is_named(folder):
    (folder / "deep" / "text.tsv").unlink()
    with pytest.raises(AssetError, match=r"deep/text\.tsv in .* is missing or changed"):
        check_contents(folder)


def test_without_checksums_nothing_is_compared(folder):
    (folder / CHECKSUMS).unlink()
    (folder / "weights").write_bytes(b"")
    check_contents(folder)

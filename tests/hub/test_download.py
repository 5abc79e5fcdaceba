"""Downloads from a hub: revisions and layouts, connections that break off, wrong contents."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import constants

from las.assets import Asset, HubFolder, fetch_asset, hub_reachable
from las.errors import AssetError
from tests.hub.server import Hub

WEIGHTS = bytes(range(256)) * 4096  # 1 MiB
OPT = HubFolder("facebook/opt-2.7b", ["config.json", "*.safetensors"], revision="refs/pr/26")


@pytest.fixture
def published(hub: Hub) -> Hub:
    """OPT's layout: pickled weights on the main branch, safetensors in a pull request."""
    hub.publish("facebook/opt-2.7b", {"config.json": b"{}", "pytorch_model.bin": b"pickled"})
    files = {"config.json": b"{}", "model.safetensors": WEIGHTS, "pytorch_model.bin": b"pickled"}
    hub.publish("facebook/opt-2.7b", files, revision="refs/pr/26")
    return hub


def test_the_files_of_a_revision_come_and_no_pickles(published: Hub, tmp_path: Path) -> None:
    assert hub_reachable()
    OPT.extract_to(tmp_path / "out")
    there = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert there == {"config.json": b"{}", "model.safetensors": WEIGHTS}
    assert not published.downloads(".bin")


def test_a_branch_without_safetensors_is_an_error(published: Hub, tmp_path: Path) -> None:
    main = HubFolder("facebook/opt-2.7b", ["*.safetensors"])
    with pytest.raises(AssetError, match="holds no file that matches"):
        main.extract_to(tmp_path / "out")


def test_a_download_that_breaks_off_goes_on_where_it_was(
    published: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 2**16)  # 10 MB: by so much it goes on
    published.cut["model.safetensors"] = 1
    OPT.extract_to(tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == WEIGHTS
    ranges = [part for part in published.downloads("model.safetensors") if part]
    assert ranges == [f"bytes={len(WEIGHTS) // 2}-"]


def test_other_bytes_than_the_hub_lists_are_refused_and_then_fetched_anew(
    published: Hub, tmp_path: Path
) -> None:
    asset = Asset("opt", needs=["*.safetensors"], hub=[OPT])
    published.altered.add("model.safetensors")
    expected = hashlib.sha256(WEIGHTS).hexdigest()
    with pytest.raises(AssetError, match=f"model.safetensors of .*expected {expected}.*again"):
        fetch_asset(asset, tmp_path / "opt", tmp_path / "wheels", ["hub"])
    assert not (tmp_path / "opt").exists()
    published.altered.clear()
    published.asked.clear()
    fetch_asset(asset, tmp_path / "opt", tmp_path / "wheels", ["hub"])
    assert (tmp_path / "opt" / "model.safetensors").read_bytes() == WEIGHTS
    assert not published.downloads("config.json")  # which came whole the first time


def test_a_damaged_small_file_is_refused_too(published: Hub, tmp_path: Path) -> None:
    published.altered.add("config.json")
    with pytest.raises(AssetError, match=r"config\.json of facebook/opt-2\.7b came damaged"):
        OPT.extract_to(tmp_path / "out")


def test_every_folder_of_a_set_gets_its_own_files_under_their_base_names(
    hub: Hub, tmp_path: Path
) -> None:
    """The client's cache holds what was ever fetched of a repository."""
    sets = {f"{task}/validation-0.parquet": task.encode() for task in ("sst2", "mrpc")}
    hub.publish("nyu-mll/glue", {"README.md": b"", **sets}, kind="datasets")
    for task in ("sst2", "mrpc"):
        folder = HubFolder("nyu-mll/glue", [f"{task}/validation-*"], "dataset", folder=task)
        folder.extract_to(tmp_path / "out")
        (file,) = (tmp_path / "out" / task).iterdir()
        assert (file.name, file.read_text()) == ("validation-0.parquet", task)


@pytest.mark.parametrize("name", ["facebook/nothing", "facebook/opt-2.7b"])
def test_what_the_hub_has_not_is_named(published: Hub, tmp_path: Path, name: str) -> None:
    with pytest.raises(AssetError, match=f"cannot fetch {name} from the hub"):
        HubFolder(name, ["*"], revision="refs/pr/99").extract_to(tmp_path / "out")

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from las.errors import AssetError
from las.evaluation.vlmeval.environment import import_vlmeval
from las.evaluation.vlmeval.sets import keep_image_files, load_set, part_of
from tests.evaluation.vlmeval.seeing import (
    choices,
    hallusion_bench,
    mme,
    picture,
    pope,
    write_sets,
)
from tests.evaluation.vlmeval.test_environment import needs_vlmeval


@dataclass
class Loaded:
    """What is used of a set that VLMEvalKit has loaded."""

    dataset_name: str
    data: pd.DataFrame
    DATASET_URL: dict[str, str] = field(default_factory=dict)
    img_root: str = "the shared folder"

    def dump_image(self, item: Any) -> list[str]:
        return ["written by VLMEvalKit"]


def test_a_part_is_spread_evenly():
    part = part_of(Loaded("MMStar", choices(10)), 5)
    assert list(part.data["index"]) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("limit", [None, 10, 99])
def test_a_part_can_be_everything_and_is_no_window_on_the_whole(limit):
    whole = Loaded("MMStar", choices(10))
    part = part_of(whole, limit)
    assert part.data.equals(whole.data)
    part.data.pop("image")
    assert "image" in whole.data


def test_a_part_of_mme_keeps_the_questions_on_an_image_together():
    part = part_of(Loaded("MME", mme(4)), 28).data
    assert len(part) == 28
    assert set(part.groupby(["category", "image_path"]).size()) == {2}
    assert len(set(part["category"])) == 14


def test_a_part_of_hallusion_bench_keeps_sets_of_figures_together():
    whole = hallusion_bench()
    part = part_of(Loaded("HallusionBench", whole), 12).data
    place = ["l2-category", "set_id"]
    assert set(part.groupby(place).size()) == set(whole.groupby(place).size())
    assert set(part["l2-category"]) == {"chart", "map"}
    assert len(part) == 12


def test_nothing_is_no_part():
    with pytest.raises(ValueError, match="limit must be at least 1, not 0"):
        part_of(Loaded("MMStar", choices(3)), 0)


def test_a_part_of_mme_without_all_categories_is_refused_before_any_work():
    with pytest.raises(ValueError, match="14 categories"):
        part_of(Loaded("MME", mme(4)), 4)


def test_pictures_of_a_set_of_ours_are_not_compressed_again(tmp_path):
    dataset = Loaded("Ours", choices(3))
    keep_image_files(dataset, tmp_path / "images")
    (file,) = dataset.dump_image(dataset.data.iloc[1])
    assert Path(file).read_bytes() == base64.b64decode(picture(1))
    assert Path(file).parent == tmp_path / "images"


def test_pictures_of_a_known_set_are_written_as_vlmevalkit_does_it(tmp_path):
    dataset = Loaded("POPE", pope(3), DATASET_URL={"POPE": "https://example.org/POPE.tsv"})
    keep_image_files(dataset, tmp_path / "images")
    assert dataset.img_root == str(tmp_path / "images")
    assert dataset.dump_image(None) == ["written by VLMEvalKit"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LMUData", "restored after the test")
    import_vlmeval(tmp_path / "sets")
    return tmp_path / "sets"


@needs_vlmeval
def test_a_local_file_is_taken_as_it_is(folder):
    from vlmeval.dataset import ImageYORNDataset

    write_sets(folder, ["POPE"])
    before, checksum = (folder / "POPE.tsv").read_bytes(), ImageYORNDataset.DATASET_MD5["POPE"]
    dataset = load_set("POPE", folder)
    assert isinstance(dataset, ImageYORNDataset)
    assert list(dataset.data["question"]) == list(pope(12)["question"])
    assert (folder / "POPE.tsv").read_bytes() == before
    assert ImageYORNDataset.DATASET_MD5["POPE"] == checksum


@needs_vlmeval
@pytest.mark.parametrize(("table", "kind"), [(choices(4), "MCQ"), (pope(4), "Y/N")])
def test_the_columns_of_a_file_of_ours_say_what_kind_it_is(folder, table, kind):
    table.to_csv(folder / "Ours.tsv", sep="\t", index=False)
    dataset = load_set("Ours", folder)
    assert (dataset.TYPE, dataset.dataset_name) == (kind, "Ours")


@needs_vlmeval
def test_a_file_of_neither_kind_is_refused(folder):
    pope(4).assign(answer="perhaps").to_csv(folder / "Ours.tsv", sep="\t", index=False)
    with pytest.raises(AssetError, match=r"neither a multiple-choice set .* nor a yes-or-no set"):
        load_set("Ours", folder)


@needs_vlmeval
def test_a_known_set_without_its_columns_is_refused(folder):
    pope(4).drop(columns="index").to_csv(folder / "POPE.tsv", sep="\t", index=False)
    with pytest.raises(AssetError, match=r"POPE\.tsv is no set .*'index'"):
        load_set("POPE", folder)


@needs_vlmeval
def test_an_unknown_set_is_refused(folder):
    with pytest.raises(AssetError, match="no image set Nothing"):
        load_set("Nothing", folder)


@needs_vlmeval
def test_a_download_is_checked_and_kept_only_if_it_is_whole(folder, tmp_path, monkeypatch):
    from vlmeval.dataset import ImageYORNDataset

    server = write_sets(tmp_path / "server", ["POPE"]) / "POPE.tsv"
    monkeypatch.setitem(ImageYORNDataset.DATASET_URL, "POPE", server.as_uri())
    with pytest.raises(AssetError, match=r"is damaged: its md5 is \w+, expected"):
        load_set("POPE", folder)
    assert not list(folder.iterdir())
    md5 = hashlib.md5(server.read_bytes()).hexdigest()
    monkeypatch.setitem(ImageYORNDataset.DATASET_MD5, "POPE", md5)
    assert len(load_set("POPE", folder)) == 12
    assert [path.name for path in folder.iterdir()] == ["POPE.tsv"]


@needs_vlmeval
def test_a_server_out_of_reach_is_an_error_that_says_where_to_put_the_file(folder, monkeypatch):
    from vlmeval.dataset import ImageYORNDataset

    monkeypatch.setitem(ImageYORNDataset.DATASET_URL, "POPE", (folder / "no").as_uri())
    with pytest.raises(AssetError, match=r"cannot be fetched .* put the file at .*POPE\.tsv"):
        load_set("POPE", folder)

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import Dataset

from las.data.shards import find_shards, read_shards
from las.errors import AssetError

ROWS = [{"sentence": 'a "quoted word', "label": 1}, {"sentence": "plain", "label": 0}]


def write(folder: Path, name: str) -> str:
    """The rows in the format that the name says."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        Dataset.from_list(ROWS).to_parquet(path)
    elif path.suffix == ".arrow":
        Dataset.from_list(ROWS).save_to_disk(str(folder / "saved"))
        (folder / "saved" / "data-00000-of-00001.arrow").rename(path)
    elif path.suffix == ".tsv":
        lines = ["\t".join(ROWS[0]), *("\t".join(map(str, row.values())) for row in ROWS)]
        path.write_text("\n".join(lines) + "\n")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path.resolve())


@pytest.mark.parametrize("suffix", ["arrow", "parquet", "jsonl", "tsv"])
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    assert read_shards([write(tmp_path, f"dev.{suffix}")]).to_list() == ROWS


def test_shards_of_a_split_are_read_in_order(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"validation-0000{i}-of-00002.parquet") for i in range(2)]
    write(tmp_path, "train-00000-of-00001.parquet")
    assert find_shards(tmp_path, ["validation"], "t") == paths
    assert read_shards(paths).to_list() == ROWS * 2


def test_the_preferred_split_wins(tmp_path: Path) -> None:
    dev = write(tmp_path, "dev.tsv")
    assert find_shards(tmp_path, ["test", "dev"], "t") == [dev]
    test = write(tmp_path, "test/data.jsonl")
    assert find_shards(tmp_path, ["test", "dev"], "t") == [test]


def test_one_half_of_a_split_is_not_mistaken_for_the_other(tmp_path: Path) -> None:
    write(tmp_path, "validation_mismatched-00000-of-00001.parquet")
    with pytest.raises(AssetError, match="validation_matched is scored"):
        find_shards(tmp_path, ["validation_matched"], "mnli")


def test_files_of_no_split_are_taken_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl")
    assert find_shards(tmp_path, ["validation"], "t") == [path]
    write(tmp_path, "train.jsonl")
    assert find_shards(tmp_path, ["validation"], "t") == [path]

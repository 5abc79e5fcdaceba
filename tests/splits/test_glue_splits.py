"""Splits of GLUE tasks as they are found on disks."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from las.data.glue import GLUE, LabelledText
from las.errors import AssetError
from las.splits import read_split


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_mrpc_as_its_authors_wrote_it_and_glue_packs_it(tmp_path: Path) -> None:
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    write(tmp_path / "MRPC" / "train.tsv", header + '1\t7\t8\tSays "a.\tHe says a.\n')
    write(tmp_path / "MRPC" / "dev.tsv", header + "0\t1\t2\tNo.\tYes.\n")
    assert read_split("mrpc", tmp_path, "train") == [LabelledText(('Says "a.', "He says a."), 1)]
    assert read_split("mrpc", tmp_path, "validation") == [LabelledText(("No.", "Yes."), 0)]


def test_mnli_is_its_matched_part_and_its_gold_label(tmp_path: Path) -> None:
    header = "index\tsentence1\tsentence2\tlabel1\tgold_label\n"
    write(tmp_path / "MNLI" / "dev_matched.tsv", header + "0\ta\tb\tneutral\tcontradiction\n")
    write(tmp_path / "MNLI" / "dev_mismatched.tsv", header + "0\tc\td\tneutral\tneutral\n")
    assert read_split("mnli", tmp_path, "validation") == [LabelledText(("a", "b"), 2)]


def test_stsb_is_scored_and_in_several_files_of_the_hub(tmp_path: Path) -> None:
    for i in range(2):
        table = pyarrow.table({"sentence1": [f"a{i}"], "sentence2": ["b"], "label": [2.5 * i]})
        (tmp_path / "stsb").mkdir(exist_ok=True)
        pyarrow.parquet.write_table(table, tmp_path / "stsb" / f"train-0000{i}-of-00002.parquet")
    items = read_split("stsb", tmp_path, "train")
    assert [item.label for item in items] == [0.0, 2.5]


@pytest.mark.parametrize(("name", "task"), [("SST-2", "sst2"), ("STS-B", "stsb"), ("QQP", "qqp")])
def test_folders_are_called_as_by_glue_or_as_here(tmp_path: Path, name: str, task: str) -> None:
    row = {"qqp": '{"question1": "a", "question2": "b", "is_duplicate": 1}'}
    row["sst2"] = '{"sentence": "a", "label": 1}'
    row["stsb"] = '{"sentence1": "a", "sentence2": "b", "score": 1.0}'
    for folder in (name, task):
        write(tmp_path / folder / folder / "train.jsonl", row[task] + "\n")
        (item,) = read_split(task, tmp_path / folder, "train")
        assert item.label == 1


def test_what_is_missing_is_said_and_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"no directory .*none with .*: GLUE's own site has"):
        read_split("rte", tmp_path / "none", "train")
    (tmp_path / "QNLI").mkdir()
    with pytest.raises(AssetError, match=r"has no folder rte, but QNLI: GLUE's own site has"):
        read_split("rte", tmp_path, "train")
    with pytest.raises(AssetError, match=r"holds no data; the split train of qnli .* train\.tsv"):
        read_split("qnli", tmp_path, "train")
    write(tmp_path / "QNLI" / "dev.tsv", "question\tsentence\tlabel\na\tb\tentailment\n")
    with pytest.raises(AssetError, match=r"holds dev\.tsv; the split train of qnli is wanted"):
        read_split("qnli", tmp_path, "train")
    write(tmp_path / "rte" / "train.tsv", "premise\tlabel\na\t0\n")
    with pytest.raises(AssetError, match="columns premise, label; rte needs sentence1, sentence2"):
        read_split("rte", tmp_path, "train")


@pytest.mark.parametrize("label", ["-1", "2", "perhaps"])
def test_a_split_without_labels_is_refused(tmp_path: Path, label: str) -> None:
    write(tmp_path / "rte" / "train.tsv", f"sentence1\tsentence2\tlabel\na\tb\t{label}\n")
    with pytest.raises(AssetError, match="entailment, not_entailment"):
        read_split("rte", tmp_path, "train")


def test_there_are_seven_tasks_and_two_splits(tmp_path: Path) -> None:
    assert len(GLUE) == 7
    with pytest.raises(ValueError, match="not train of cola"):
        read_split("cola", tmp_path, "train")
    with pytest.raises(ValueError, match="not test of rte"):
        read_split("rte", tmp_path, "test")  # type: ignore[arg-type]

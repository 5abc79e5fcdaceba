from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from las.data.glue import GLUE, HELD_OUT_SHARE, read_glue
from las.errors import AssetError


def write(directory: Path, task: str, rows: list[dict[str, Any]], name: str = "dev.jsonl") -> Path:
    (directory / task).mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (directory / task / name).write_text(lines)
    return directory


@pytest.mark.parametrize("task", [task for task in GLUE if GLUE[task].labels])
def test_labels_are_numbers_or_names(tmp_path: Path, task: str) -> None:
    columns = GLUE[task].texts[0]
    labels = GLUE[task].labels
    texts = [{name: f"{name} {i}" for name in columns} for i in range(len(labels))]
    numbers = [text | {"label": i} for i, text in enumerate(texts)]
    names = [text | {"gold_label": name} for text, name in zip(texts, labels, strict=True)]
    split = f"{GLUE[task].splits[0]}.jsonl"
    for directory, rows in ((tmp_path / "a", numbers), (tmp_path / "b", names)):
        items = read_glue(task, write(directory, task, rows, split))
        assert [item.label for item in items] == list(range(len(labels)))
        assert [item.texts for item in items] == [tuple(text.values()) for text in texts]


def test_a_score_is_no_class(tmp_path: Path) -> None:
    row = {"sentence1": "a", "sentence2": "b"}
    (item,) = read_glue("stsb", write(tmp_path, "stsb", [row | {"score": 3.8}]))
    assert item.label == 3.8
    with pytest.raises(AssetError, match=r"label 7\.0, and stsb has scores from 0 to 5"):
        read_glue("stsb", write(tmp_path, "stsb", [row | {"score": 7.0}]))


@pytest.mark.parametrize("label", [-1, 2, "maybe", 0.5, None])
def test_an_unlabelled_split_is_refused(tmp_path: Path, label: object) -> None:
    directory = write(tmp_path, "sst2", [{"sentence": "a", "label": label}])
    with pytest.raises(AssetError, match="negative, positive"):
        read_glue("sst2", directory)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    directory = write(tmp_path, "rte", [{"sentence1": "a", "label": 0}])
    with pytest.raises(AssetError, match="rte needs sentence1, sentence2"):
        read_glue("rte", directory)


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such GLUE task: cola; there are qqp"):
        read_glue("cola", tmp_path)
    with pytest.raises(ValueError, match="held-out"):
        read_glue("sst2", tmp_path, "test")  # type: ignore[arg-type]


def test_the_parts_share_no_sentence_and_leave_none_out(tmp_path: Path) -> None:
    rows = [{"sentence": f"sentence {i % 900}", "label": i % 2} for i in range(1000)]
    directory = write(tmp_path, "sst2", rows)
    train, held_out = (read_glue("sst2", directory, part) for part in ("train", "held-out"))
    assert len(train) + len(held_out) == 1000
    assert not {item.texts for item in train} & {item.texts for item in held_out}
    spread = (HELD_OUT_SHARE * (1 - HELD_OUT_SHARE) / 900) ** 0.5
    assert abs(len(held_out) / 1000 - HELD_OUT_SHARE) < 4 * spread


def test_a_sentence_keeps_its_side_in_a_larger_set(tmp_path: Path) -> None:
    rows = [{"sentence": f"sentence {i}", "label": 0} for i in range(50)]
    small = read_glue("sst2", write(tmp_path / "small", "sst2", rows[:20]), "held-out")
    large = read_glue("sst2", write(tmp_path / "large", "sst2", rows), "held-out")
    assert large[: len(small)] == small

"""What models trained here are fine-tuned on, before published neurons are put in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from las.data.glue import read_glue
from pipeline import tuning

DUMP = "wikipedia/pages.xml.bz2"


def test_a_language_model_reads_a_batch_of_its_own_text_for_each_step(
    composed, mine: Path, tmp_path: Path, byte_tokenizer
) -> None:
    shutil.copytree(mine / "wikipedia", tmp_path / "data" / "assets" / "wikipedia")
    cfg = composed(
        *("model=gpt2-wiki", "neuron=qcfs-tuned-t16", f"root={tmp_path}", "calibration.length=32"),
        *(f"model.pretraining.dump={DUMP}", "neuron.tuning.steps=3"),
    )
    batches = tuning.labelled_batches(cfg, byte_tokenizer)
    assert [batch["input_ids"].shape for batch in batches] == [(2, 32)] * 3
    assert all(torch.equal(batch["labels"], batch["input_ids"]) for batch in batches)
    text = "".join(byte_tokenizer.batch_decode(torch.cat([b["input_ids"] for b in batches])))
    assert "for calibration" in text and "for held-out" not in text


def test_a_classifier_reads_the_part_that_is_not_held_out(
    composed, tmp_path: Path, byte_tokenizer
) -> None:
    folder = tmp_path / "data" / "assets" / "glue" / "sst2"
    folder.mkdir(parents=True)
    rows = [{"sentence": f"{i} of forty", "label": i % 2} for i in range(40)]
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cfg = composed("model=minilm-sst2", "neuron=fas-tuned-t16", f"root={tmp_path}")
    batches = tuning.labelled_batches(cfg, byte_tokenizer)
    read = {
        byte_tokenizer.decode(ids[mask.bool()]): int(label)
        for batch in batches
        for ids, mask, label in zip(
            batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True
        )
    }
    part = read_glue("sst2", folder.parent, "train")
    assert read == {item.texts[0]: int(item.label) for item in part}
    assert list(read) != [item.texts[0] for item in part]
    assert len(batches[0]["labels"]) == 16


def test_only_a_model_trained_here_for_words_or_classes_is_fine_tuned(
    composed, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="take neuron=qcfs-t16"):
        tuning.data(composed("model=minilm-l6", "neuron=qcfs-tuned-t16"), tmp_path)
    cfg = composed("model=qwen2-vl-easy-vqa", "neuron=qcfs-tuned-t16")
    with pytest.raises(ValueError, match="fine-tunes language models and classifiers"):
        tuning.labelled_batches(cfg, None)

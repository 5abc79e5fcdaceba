from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText

from las.assets import materialise_model
from las.data.easy_vqa import read_questions
from las.data.visual_prompts import question_batch
from las.hosts.processor import load_processor
from las.pretraining.vision_language import untrained
from tests.pretraining.seeing import ARCHITECTURES, IMAGE_SIZE


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_a_model_that_sees_becomes_float32_with_its_processor(
    tmp_path: Path, shapes: Path, family: str
) -> None:
    questions = read_questions(shapes, "test")[:3]
    texts = [text for q in questions for text in (q.text, q.answer)]
    model, processor = untrained(ARCHITECTURES[family], IMAGE_SIZE, texts, seed=0)
    asset = tmp_path / "asset"
    model.half().save_pretrained(asset)
    processor.save_pretrained(asset)
    folder = materialise_model(asset, tmp_path / "model", "vision_language")

    loaded = AutoModelForImageTextToText.from_pretrained(folder)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    expected, inputs = (question_batch(p, questions) for p in (processor, load_processor(folder)))
    assert expected.keys() == inputs.keys()
    for name, tensor in expected.items():
        assert torch.equal(inputs[name], tensor), name
    assert loaded(**inputs).logits.isfinite().all()


def test_images_are_read_by_way_of_pillow(tmp_path: Path) -> None:
    for family, architecture in ARCHITECTURES.items():
        model, processor = untrained(architecture, IMAGE_SIZE, ["a shape"], seed=0)
        model.config.save_pretrained(tmp_path / family)
        processor.save_pretrained(tmp_path / family)
        loaded = load_processor(tmp_path / family)
        assert type(loaded.image_processor).__name__.endswith("Pil")


def test_qwen2_vl_is_saved_as_transformers_reads_it(tmp_path: Path) -> None:
    _, processor = untrained(ARCHITECTURES["qwen2_vl"], IMAGE_SIZE, ["a shape"], seed=0)
    processor.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "processor_config.json").read_text())
    assert settings["processor_class"] == "Qwen2VLProcessor"
    for name in ("patch_size", "merge_size", "temporal_patch_size", "image_mean", "size"):
        assert settings["video_processor"][name] == settings["image_processor"][name], name

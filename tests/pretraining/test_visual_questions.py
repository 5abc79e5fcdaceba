"""From a config to a directory that sees, answers and is converted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

import las
from las.data.calibration import calibration_questions
from las.data.easy_vqa import read_questions
from las.errors import AssetError
from las.evaluation.visual_questions import compare_visual_questions
from las.hosts.processor import load_processor
from las.pretraining.pretrain import pretrain
from tests.pretraining.seeing import ARCHITECTURES, IMAGE_SIZE


def config(family: str = "llava", **changes: Any) -> dict[str, Any]:
    recipe = {
        "steps": 60,
        "batch_size": 12,
        "learning_rate": 5e-3,
        "warmup_steps": 5,
        "weight_decay": 0.01,
        "seed": 0,
        "checkpoint_every": 25,
    }
    return {
        "task": "visual_questions",
        "directory": "shapes",
        "architecture": ARCHITECTURES[family],
        "image_size": IMAGE_SIZE,
        "names": ["circle", "rectangle"],
        "naming": recipe | {"steps": 40},
        "recipe": recipe,
        "turns": 2,
        **changes,
    }


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_a_trained_model_answers_questions_about_unseen_pictures_and_spikes(
    tmp_path: Path, shapes: Path, family: str
) -> None:
    target, checkpoints = tmp_path / "model", tmp_path / "checkpoints"
    pretrain(config(family), tmp_path, target, checkpoints)
    assert not checkpoints.exists()
    ann, snn = (AutoModelForImageTextToText.from_pretrained(target).eval() for _ in range(2))
    assert {parameter.dtype for parameter in ann.parameters()} == {torch.float32}
    processor = load_processor(target)
    las.convert(snn, list(calibration_questions(shapes, processor, count=20, batch_size=8)))
    questions = read_questions(shapes, "test")
    score = compare_visual_questions(
        ann,
        snn,
        processor,
        questions,
        read_questions(shapes, "train"),
        task="shapes",
        batch_size=5,
        questions_available=len(questions),
    )
    assert score.ann > score.extra["majority"] + 0.2
    assert score.snn == score.ann and score.agreement == 1
    assert 0 < score.kl < 1e-4


def test_what_evaluation_asks_is_never_seen(tmp_path: Path, shapes: Path) -> None:
    quick = config(
        naming=config()["naming"] | {"steps": 2}, recipe=config()["recipe"] | {"steps": 2}
    )
    pretrain(quick, tmp_path, tmp_path / "with", tmp_path / "checkpoints")
    shutil.rmtree(shapes / "test")
    pretrain(quick, tmp_path, tmp_path / "without", tmp_path / "checkpoints")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("with", "without"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"directory": "nowhere"}, FileNotFoundError, "fetch"),
        ({"architecture": {"model_type": "gpt2"}}, ValueError, "llava, qwen2_vl, not 'gpt2'"),
        ({"turns": 0}, ValueError, "turns must be at least 1"),
        ({"names": ["hexagon"]}, ValueError, "hexagon: names that no picture"),
        ({"colour": "red"}, TypeError, "colour"),
    ],
)
def test_a_wrong_config_says_what_is_wrong_and_writes_nothing(
    tmp_path: Path,
    shapes: Path,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        pretrain(config(**changes), tmp_path, tmp_path / "model", tmp_path / "checkpoints")
    assert not (tmp_path / "model").exists()


def test_a_damaged_picture_is_named(tmp_path: Path, shapes: Path) -> None:
    (shapes / "train" / "images" / "3.png").write_bytes(b"")
    with pytest.raises(AssetError, match=r"3\.png is damaged"):
        pretrain(config(), tmp_path, tmp_path / "model", tmp_path / "checkpoints")

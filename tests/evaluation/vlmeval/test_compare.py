"""The whole way through VLMEvalKit, where this interpreter has it."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

import las
from las.errors import MissingExtraError, UnsupportedModelError
from las.evaluation.score import Score
from las.evaluation.suites.vlmeval import VLMEval
from las.evaluation.vlmeval.compare import compare_vision_language
from las.evaluation.vlmeval.environment import import_vlmeval, installed
from las.evaluation.vlmeval.model import ChatModel
from tests import tiny_models
from tests.evaluation.vlmeval.seeing import (
    MADE_UP,
    PAPER_SETS,
    llava_processor,
    picture,
    qwen_processor,
    write_sets,
)
from tests.evaluation.vlmeval.test_environment import needs_vlmeval

PROCESSORS = {"llava": llava_processor, "qwen2-vl": qwen_processor}
SUITE = VLMEval(
    sets=["EasyVQA_MCQ", "EasyVQA_YORN"],
    directory="sets",
    easy_vqa="shapes",
    prompt="question",
    limit=None,
    max_new_tokens=1,
)
FIRST_METRIC = {"POPE": "f1", "HallusionBench": "aAcc+fAcc+qAcc", "MME": "mme"}


def both(family: str, processor: Any) -> tuple[Any, Any]:
    """The original and its spike-equivalent, calibrated on questions about other pictures."""
    pictures = [Image.open(BytesIO(b64decode(picture(1000 + i)))) for i in range(8)]
    text = f"{processor.image_token} what is it red"
    batches = [dict(processor(images=[i], text=text, return_tensors="pt")) for i in pictures]
    dense, spiking = tiny_models.build(family), tiny_models.build(family)
    return dense, las.convert(spiking, batches, las.SpikeConfig())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LMUData", "restored after the test")
    return tmp_path / "sets"


@pytest.fixture
def summaries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What VLMEvalKit itself reports, run by run."""
    import_vlmeval(folder)
    from vlmeval.dataset import ImageMCQDataset, ImageYORNDataset

    reported: list[Any] = []
    for kind in (ImageMCQDataset, ImageYORNDataset):
        monkeypatch.setattr(kind, "evaluate", _kept(kind.evaluate, reported))
    return reported


def _kept(method: Any, reported: list[Any]) -> Any:
    def evaluate(*arguments: Any, **options: Any) -> Any:
        reported.append(method(*arguments, **options))
        return reported[-1]

    return evaluate


def reported_value(score: Score, summary: pd.DataFrame) -> float:
    """The metric of a score as VLMEvalKit's summary has it."""
    row = summary.iloc[0]
    if score.metric == "f1":
        return float(row["Overall"]) / 100
    if score.metric == "mme":
        return float(row["perception"] + row["reasoning"])
    if score.metric == "aAcc+fAcc+qAcc":
        return float(row["aAcc"] + row["fAcc"] + row["qAcc"])
    if score.task in FIRST_METRIC:
        points = score.metric in ("perception", "reasoning")
        return float(row[score.metric]) / (1 if points else 100)
    return float(row["Overall"])


@needs_vlmeval
@pytest.mark.parametrize("family", PROCESSORS)
def test_the_papers_seven_sets_on_original_and_spiking_model(family, folder, summaries):
    write_sets(folder)
    processor = PROCESSORS[family]()
    ann, snn = both(family, processor)
    with las.count_spikes(snn) as spikes:
        scores = compare_vision_language(
            ann, snn, processor, PAPER_SETS, folder=folder, max_new_tokens=1
        )
    assert spikes.spikes > 0
    for number, name in enumerate(PAPER_SETS):
        of_set = [score for score in scores if score.task == name]
        assert of_set[0].metric == FIRST_METRIC.get(name, "acc")
        assert of_set[0].items == of_set[0].items_available == len(MADE_UP[name]())
        assert of_set[0].extra["seconds_snn"] > 0
        for score in of_set:
            assert score.ann == pytest.approx(reported_value(score, summaries[2 * number]))
            assert score.snn == pytest.approx(reported_value(score, summaries[2 * number + 1]))
    # random models, but not ones of which nothing can be judged
    assert any(score.ann > 0 for score in scores)
    alike = sum(score.agreement * score.items for score in scores)
    assert alike > 0.9 * sum(score.items for score in scores)


@needs_vlmeval
def test_a_model_compared_with_itself_agrees_on_everything_every_time(folder):
    write_sets(folder, ["MMStar", "POPE"])
    model = tiny_models.build("llava")

    def run() -> list[Score]:
        return compare_vision_language(
            model, model, llava_processor(), ["MMStar", "POPE"], folder=folder, limit=5
        )

    once, again = run(), run()
    for first, second in zip(once, again, strict=True):
        assert first.agreement == 1
        assert (first.ann, first.ann_stderr) == (first.snn, first.snn_stderr)
        assert (first.ann, first.ann_stderr) == (second.ann, second.ann_stderr)
        assert first.items == 5 < first.items_available


@needs_vlmeval
def test_two_models_that_say_nothing_agree_and_are_wrong(folder, monkeypatch):
    write_sets(folder, ["MMStar", "POPE"])
    monkeypatch.setattr(ChatModel, "generate", lambda self, message, dataset=None: "")
    model = tiny_models.build("llava")
    for score in compare_vision_language(
        model, model, llava_processor(), ["MMStar", "POPE"], folder=folder
    ):
        assert (score.ann, score.snn, score.agreement) == (0, 0, 1)


@needs_vlmeval
def test_easy_vqa_is_exported_and_asked_in_its_own_words(shapes, folder):
    ann, snn = both("llava", llava_processor())
    scores = SUITE.score(ann, snn, llava_processor(), shapes.parent)
    assert [(score.task, score.metric, score.items) for score in scores] == [
        ("EasyVQA_MCQ", "acc", 16),
        ("EasyVQA_YORN", "acc", 8),
    ]


@needs_vlmeval
def test_a_word_that_is_the_text_of_an_option_counts_as_its_letter(shapes, folder, monkeypatch):
    def right_in_words(self, message, dataset=None):
        asked = message[-1]["value"]
        return {"what is the red shape?": "circle", "what is the blue shape?": "circle"}.get(
            asked, "red" if "color" in asked else "yes"
        )

    monkeypatch.setattr(ChatModel, "generate", right_in_words)
    model = tiny_models.build("llava")
    choice, closed = SUITE.score(model, model, llava_processor(), shapes.parent)
    from las.data.easy_vqa import read_questions

    questions = read_questions(shapes, "test")
    opened = [q.answer for q in questions if q.answer not in ("yes", "no")]
    share_of_yes = [q.answer == "yes" for q in questions if q.answer in ("yes", "no")]
    assert choice.ann == pytest.approx(
        sum(answer in ("circle", "red") for answer in opened) / len(opened)
    )
    assert closed.ann == pytest.approx(sum(share_of_yes) / len(share_of_yes))


@pytest.mark.parametrize("sets", [[], ["POPE", "POPE"]])
def test_no_set_or_the_same_set_twice_is_refused(sets, folder):
    model = tiny_models.build("llava")
    with pytest.raises(ValueError, match="no image sets to score, or one is named twice"):
        compare_vision_language(model, model, llava_processor(), sets, folder=folder)


def test_a_dense_checkpoint_is_refused(folder):
    ann, dense = tiny_models.build("llava"), tiny_models.build("llava")
    dense.config.quantization_config = {"quant_method": "las"}
    with pytest.raises(UnsupportedModelError, match="import las"):
        compare_vision_language(ann, dense, llava_processor(), ["POPE"], folder=folder)


@pytest.mark.skipif(installed(), reason="this interpreter has VLMEvalKit")
def test_without_vlmevalkit_the_error_comes_before_any_work(folder):
    model = tiny_models.build("llava")
    with pytest.raises(MissingExtraError, match="make vlm"):
        compare_vision_language(model, model, llava_processor(), ["POPE"], folder=folder)

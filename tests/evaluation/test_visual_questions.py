from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import las
from las.data.calibration import calibration_questions
from las.data.easy_vqa import Question, read_questions
from las.data.visual_prompts import question_batch
from las.evaluation.suites.visual_questions import VisualQuestions
from las.evaluation.visual_questions import compare_visual_questions
from las.pretraining.vision_language import untrained
from tests.pretraining.seeing import ARCHITECTURES, IMAGE_SIZE

RESULTS = Path(__file__).parents[2] / "results"
SUITE = VisualQuestions(directory="shapes", limit=10, batch_size=4)


@pytest.fixture(params=list(ARCHITECTURES))
def sees(request: pytest.FixtureRequest, shapes: Path) -> tuple[Any, Any, Any]:
    """A model with random weights, its spike-equivalent, and their processor.

    At T = 10 they differ by more than the rounding of their logits.
    """
    texts = [
        t
        for split in ("train", "test")
        for q in read_questions(shapes, split)
        for t in (q.text, q.answer)
    ]
    ann, processor = untrained(ARCHITECTURES[request.param], IMAGE_SIZE, texts, seed=0)
    snn, _ = untrained(ARCHITECTURES[request.param], IMAGE_SIZE, texts, seed=0)
    batches = list(calibration_questions(shapes, processor, count=20, batch_size=8))
    las.convert(snn, batches, las.SpikeConfig(time_steps=10))
    return ann.eval(), snn, processor


def compare(sees: tuple[Any, Any, Any], questions: list[Question], **changes: Any) -> Any:
    fields = {"task": "shapes", "batch_size": 4, "questions_available": 99, "known": questions}
    return compare_visual_questions(*sees, questions, **(fields | changes))


def written(model: Any, processor: Any, question: Question) -> str:
    """What the model answers where it is asked nothing else."""
    inputs = question_batch(processor, [question])
    row = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0]
    return processor.decode(row[inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def test_the_answer_that_is_written_is_right_and_no_other(
    sees: tuple[Any, Any, Any], shapes: Path
) -> None:
    ann, _, processor = sees
    asked = read_questions(shapes, "test")[:7]
    right = [dataclasses.replace(q, answer=written(ann, processor, q)) for q in asked]
    wrong = [dataclasses.replace(q, answer=f"{q.answer} not") for q in right]
    score = compare(sees, [*right[:5], *wrong[5:]])
    assert score.ann == 5 / 7
    assert score.ann_stderr == pytest.approx((5 / 7 * 2 / 7 / 6) ** 0.5)


def test_the_kl_is_that_of_the_first_token(sees: tuple[Any, Any, Any], shapes: Path) -> None:
    ann, snn, processor = sees
    asked = read_questions(shapes, "test")[:5]
    kls = []
    for question in asked:
        inputs = question_batch(processor, [question])
        p, q = (
            model(**inputs).logits[0, -1].double().log_softmax(-1).detach() for model in (ann, snn)
        )
        kls.append(float((p.exp() * (p - q)).sum()))
    score = compare(sees, asked)
    assert score.kl == pytest.approx(sum(kls) / len(kls), rel=0.05)
    assert score.extra["kl_max"] == pytest.approx(max(kls), rel=0.05)


def test_the_baselines_answer_without_looking(sees: tuple[Any, Any, Any], shapes: Path) -> None:
    image = read_questions(shapes, "test")[0].image
    known = [
        *[Question("is it red?", "no", image)] * 3,
        *[Question("is it red?", "yes", image)] * 2,
        Question("is it blue?", "yes", image),
    ]
    asked = [
        Question("is it blue?", "yes", image),  # blind is right, the majority is not
        Question("is it red?", "no", image),  # both
        Question("is it red?", "yes", image),  # neither
        Question("is it green?", "no", image),  # never seen: blind falls back to the majority
    ]
    known.append(Question("what is it?", "no", image))
    score = compare(sees, asked, known=known)
    assert (score.extra["majority"], score.extra["blind"]) == (2 / 4, 3 / 4)


def test_the_accuracies_of_the_kinds_add_up(sees: tuple[Any, Any, Any], shapes: Path) -> None:
    asked = read_questions(shapes, "test")
    score = compare(sees, asked)
    for which, accuracy in (("ann", score.ann), ("snn", score.snn)):
        total = sum(score.extra[f"acc_{q.kind}_{which}"] for q in asked)
        assert total / len(asked) == pytest.approx(accuracy)
    assert {q.kind for q in asked} == {"color", "shape", "yes_no"}


def test_the_suite_spreads_its_questions_over_the_test_set(
    sees: tuple[Any, Any, Any], shapes: Path
) -> None:
    (some,) = SUITE.score(*sees, shapes.parent)
    (everything,) = dataclasses.replace(SUITE, limit=None).score(*sees, shapes.parent)
    available = len(read_questions(shapes, "test"))
    assert (some.task, some.items, some.items_available) == ("shapes", 10, available)
    assert everything.items == everything.items_available == available
    (more,) = dataclasses.replace(SUITE, limit=1000).score(*sees, shapes.parent)
    assert more.items == available


def test_what_cannot_be_scored_is_refused(sees: tuple[Any, Any, Any], shapes: Path) -> None:
    ann, snn, processor = sees
    with pytest.raises(ValueError, match="no questions"):
        compare(sees, [])
    with torch.no_grad():
        ann.lm_head.weight[:] = torch.nan
    with pytest.raises(ValueError, match="ANN gives NaN"):
        compare((ann, snn, processor), read_questions(shapes, "test")[:2])


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [
        "llava-easy-vqa/t16h5",
        "llava-easy-vqa/t16h5-analog-vision",
        "qwen2-vl-easy-vqa/t16h5",
    ],
)
def test_the_trained_models_see_and_go_on_seeing_when_they_spike(cell: str) -> None:
    path = RESULTS / cell / "vqa" / "evaluation.json"
    if not path.exists():
        pytest.skip(f"{path.relative_to(RESULTS.parent)} is not there: make repro")
    (score,) = json.loads(path.read_text())["scores"]
    assert score["ann"] >= 0.85
    assert score["ann"] > score["extra"]["blind"] + 10 * score["ann_stderr"]
    assert score["extra"]["blind"] > score["extra"]["majority"]
    assert abs(score["snn"] - score["ann"]) <= 0.002
    assert score["agreement"] >= 0.998

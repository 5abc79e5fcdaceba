from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

import las
from las.data.glue import GLUE, LabelledText
from las.evaluation.glue import compare_classifiers
from las.evaluation.suites.glue import FullGlue, Glue
from tests.tiny_models.plain import tiny_classifier

LETTERS = "abcdefgh"


class ByLetter(nn.Module):
    """A classifier whose logits depend on a text's first letter alone."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        logits: Sequence[Sequence[float]],
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.device = torch.device("cpu")
        self.rows = {
            tokenizer(letter)["input_ids"][0]: row
            for letter, row in zip(LETTERS, logits, strict=False)
        }
        classes = len(logits[0])
        names = names or [f"LABEL_{i}" for i in range(classes)]
        self.config = SimpleNamespace(num_labels=classes, id2label=dict(enumerate(names)))

    def forward(self, input_ids: Tensor, **_: object) -> SimpleNamespace:
        return SimpleNamespace(logits=torch.tensor([self.rows[int(row[0])] for row in input_ids]))


def one_hot(classes: Sequence[int], count: int) -> list[list[float]]:
    return [[2.0 * (i == c) for i in range(count)] for c in classes]


def pairs(labels: Sequence[float]) -> list[LabelledText]:
    return [
        LabelledText((letter * (1 + i), "x"), label)
        for i, (letter, label) in enumerate(zip(LETTERS, labels, strict=False))
    ]


def test_accuracy_and_f1_by_hand(tokenizer: PreTrainedTokenizerFast) -> None:
    ann = ByLetter(tokenizer, one_hot([1, 1, 1, 0, 0, 1], 2))
    snn = ByLetter(tokenizer, one_hot([1, 1, 0, 0, 0, 1], 2))
    items = pairs([1, 1, 1, 1, 0, 0])
    acc, f1 = compare_classifiers(ann, snn, tokenizer, items, task="mrpc", batch_size=4)
    assert (acc.task, acc.metric, acc.items) == ("glue_mrpc", "acc", 6)
    assert (acc.ann, acc.snn) == pytest.approx((4 / 6, 3 / 6))
    assert acc.agreement == pytest.approx(5 / 6)
    # TP 3, FN 1, FP 1 against TP 2, FN 2, FP 1
    assert (f1.metric, f1.ann, f1.snn) == pytest.approx(("f1", 6 / 8, 4 / 7))
    p, q = math.exp(2) / (1 + math.exp(2)), 1 / (1 + math.exp(2))
    assert acc.kl == pytest.approx((p - q) * math.log(p / q) / 6)
    assert acc.extra["majority"] == pytest.approx(4 / 6)
    assert "seconds_snn" in acc.extra and "seconds_snn" not in f1.extra


def test_the_full_suite_reads_the_validation_split_as_glue_packs_it(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    (tmp_path / "MRPC").mkdir()
    (tmp_path / "MRPC" / "train.tsv").write_text(header + "0\t1\t2\ta\tx\n" * 9)
    (tmp_path / "MRPC" / "dev.tsv").write_text(header + "1\t1\t2\ta\tx\n0\t1\t2\tb\tx\n")
    model = ByLetter(tokenizer, one_hot([1, 1], 2))
    suite = FullGlue(["mrpc"], directory=".", part="all", limit=None, batch_size=2, max_length=8)
    acc, _ = suite.score(model, None, tokenizer, tmp_path)
    assert (acc.items, acc.items_available, acc.ann) == (2, 2, 0.5)


def test_the_standard_error_of_f1_is_the_spread_over_samples(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Many data sets drawn from one source: their F1 spreads as one set's error says."""
    random = np.random.default_rng(0)
    model = ByLetter(tokenizer, one_hot([0, 1], 2))
    values, errors = [], []
    for _ in range(60):
        letters = random.integers(2, size=400)
        labels = np.where(random.random(400) < 0.8, letters, 1 - letters)
        items = [
            LabelledText((LETTERS[letter], "x"), int(label))
            for letter, label in zip(letters, labels, strict=True)
        ]
        f1 = compare_classifiers(model, None, tokenizer, items, task="mrpc", batch_size=400)[1]
        values.append(f1.ann)
        errors.append(f1.ann_stderr)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.25)


def test_classes_are_matched_by_their_names(tokenizer: PreTrainedTokenizerFast) -> None:
    labels = [0, 1, 2, 1, 0, 2]
    order = ["Contradiction", "entailment", "NEUTRAL"]
    places = [1, 2, 0]  # of GLUE's entailment, neutral, contradiction in that order
    model = ByLetter(tokenizer, one_hot([places[label] for label in labels], 3), order)
    (score,) = compare_classifiers(model, model, tokenizer, pairs(labels), task="mnli")
    assert (score.ann, score.agreement, score.kl) == (1.0, 1.0, 0.0)


def test_unnamed_classes_in_another_order_are_noticed(tokenizer: PreTrainedTokenizerFast) -> None:
    labels = [0, 1, 2] * 30
    texts = [LabelledText((LETTERS[label], "x"), label) for label in labels]
    turned = ByLetter(tokenizer, one_hot([1, 2, 0], 3))
    with pytest.warns(UserWarning, match="contradiction, entailment, neutral it would be on 100"):
        (score,) = compare_classifiers(turned, None, tokenizer, texts, task="mnli")
    assert score.ann == 0.0  # said, not mended
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right = ByLetter(tokenizer, one_hot([0, 1, 2], 3))
        compare_classifiers(right, None, tokenizer, texts, task="mnli")


@pytest.mark.parametrize(
    ("task", "classes", "names", "message"),
    [
        ("mnli", 2, None, "entailment, neutral, contradiction, and the model gives 2 numbers"),
        ("sst2", 3, None, "not fine-tuned for this task"),
        ("stsb", 5, None, "one score, and the model gives 5 numbers"),
        ("sst2", 2, ["duplicate", "not_duplicate"], "correct id2label in its config.json"),
    ],
)
def test_classes_of_another_task_are_refused(
    tokenizer: PreTrainedTokenizerFast,
    task: str,
    classes: int,
    names: list[str] | None,
    message: str,
) -> None:
    model = ByLetter(tokenizer, one_hot([0, 1], classes), names)
    with pytest.raises(ValueError, match=message):
        compare_classifiers(model, model, tokenizer, pairs([0, 1]), task=task)


def test_a_score_correlates(tokenizer: PreTrainedTokenizerFast) -> None:
    ann = ByLetter(tokenizer, [[1.0], [2.0], [3.0], [5.0]])
    snn = ByLetter(tokenizer, [[1.0], [2.0], [5.0], [3.0]])
    items = pairs([0.5, 1.5, 4.0, 5.0])
    pearson, spearman = compare_classifiers(ann, snn, tokenizer, items, task="stsb")
    assert (pearson.metric, spearman.metric) == ("pearson", "spearman")
    assert pearson.ann == pytest.approx(
        100 * np.corrcoef([1, 2, 3, 5], [0.5, 1.5, 4, 5])[0, 1], rel=1e-6
    )
    # 1 - 6 sum d^2 / (n (n^2 - 1)) with d^2 = 0 0 1 1
    assert (spearman.ann, spearman.snn) == pytest.approx((100.0, 80.0))
    assert spearman.agreement == pytest.approx(5 / 6)
    assert spearman.kl is None
    assert pearson.extra["mean_abs_difference"] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="ANN gives every item the same"):
        compare_classifiers(ByLetter(tokenizer, [[1.0]] * 4), None, tokenizer, items, task="stsb")


def test_the_original_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    model = ByLetter(tokenizer, one_hot([0, 1], 2), ["negative", "positive"])
    (score,) = compare_classifiers(model, None, tokenizer, pairs([0, 0]), task="sst2")
    assert (score.ann, score.snn, score.snn_stderr) == (0.5, None, None)
    assert (score.agreement, score.kl) == (None, None)
    assert "seconds_snn" not in score.extra


def test_nan_and_nothing_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    good = ByLetter(tokenizer, one_hot([0, 1], 2))
    bad = ByLetter(tokenizer, [[math.nan, 0.0]] * 2)
    with pytest.raises(ValueError, match="SNN gives NaN"):
        compare_classifiers(good, bad, tokenizer, pairs([0, 1]), task="sst2")
    with pytest.raises(ValueError, match="no items"):
        compare_classifiers(good, good, tokenizer, [], task="sst2")


WORDS = ["one", "a few words", "something rather longer than that", "x", "blue sky", "the end"]


def test_batches_of_pairs_give_what_one_pair_at_a_time_gives(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = tiny_classifier(tokenizer, 1)
    items = [
        LabelledText((a, b), float(i % 5))
        for i, (a, b) in enumerate(zip(WORDS, WORDS[1:] + WORDS[:1], strict=True))
    ]
    with torch.no_grad():
        direct = [
            float(model(**tokenizer(*item.texts, return_tensors="pt")).logits) for item in items
        ]
    pearson, _ = compare_classifiers(model, None, tokenizer, items, task="stsb", batch_size=4)
    expected = 100 * np.corrcoef(direct, [item.label for item in items])[0, 1]
    assert pearson.ann == pytest.approx(expected, rel=1e-4)


def test_a_converted_classifier_answers_alike(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    (tmp_path / "sst2").mkdir()
    rows = [{"sentence": text, "label": i % 2} for i, text in enumerate(WORDS)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "sst2" / "validation.jsonl").write_text(lines)
    snn = tiny_classifier(tokenizer, len(GLUE["sst2"].labels))
    batches = [dict(tokenizer([text], return_tensors="pt")) for text in WORDS]
    las.convert(snn, batches, las.SpikeConfig(time_steps=16))
    suite = Glue(["sst2"], directory=".", part="all", limit=4, batch_size=2, max_length=64)
    with las.count_spikes(snn) as spikes:
        (score,) = suite.score(tiny_classifier(tokenizer, 2), snn, tokenizer, tmp_path)
    assert (score.agreement, score.items, score.items_available) == (1.0, 4, 6)
    assert score.kl is not None and 0 < score.kl < 1e-6
    assert spikes.spikes > 0
    with pytest.raises(ValueError, match="limit"):
        dataclasses.replace(suite, limit=0)

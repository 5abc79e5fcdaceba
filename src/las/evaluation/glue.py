"""Fine-tuned encoders on GLUE (Table 3), both models on the same items."""

from __future__ import annotations

import itertools
import math
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from las.data.glue import GLUE, LabelledText, normal_name
from las.evaluation.batches import batches_of_like_length
from las.evaluation.checks import refuse_dense_checkpoint, require_finite
from las.evaluation.original import Original, content_key
from las.evaluation.score import Score
from las.evaluation.standard_errors import correlation_stderr, mean_stderr, ratio_stderr
from las.hosts.offload import input_device

PREFIX = "glue_"
"""Before a task's name in a Score: lm-eval's zero-shot tasks have an "rte" of their own."""

_UNNAMED = re.compile(r"(label_)?\d+")


def compare_classifiers(
    ann: PreTrainedModel | Original,
    snn: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[LabelledText],
    *,
    task: str,
    batch_size: int = 32,
    max_length: int = 128,
    items_available: int | None = None,
) -> list[Score]:
    """Score fine-tuned sequence classifiers by the paper's metrics (Appendix D.1).

    Accuracy; for MRPC also the F1 of the class "equivalent"; for STS-B, where the model gives one
    number, Pearson and Spearman correlation (x100). The classes of a model are matched with GLUE's
    by their names in its config. A config without names ("LABEL_0", ...) is taken to follow GLUE's
    order; a warning says so where another order fits the original's answers better.

    Standard errors: of the mean for accuracy, of a ratio of sums for F1, and for correlations as
    `las.evaluation.similarity.compare_encoders` gives them. `agreement` is the share of items that
    both models put into the same class (STS-B: of pairs of items that both put into the same
    order), `kl` the mean KL(ANN || SNN) of their class probabilities in nats (STS-B: none).

    Arguments:
        ann: the original, a model with a sequence classification head, or an `Original` of it.
        snn: its spike-equivalent; None scores the original alone.
        tokenizer: theirs.
        items: labelled texts of the task.
        task: a key of `las.data.glue.GLUE`.
        batch_size: items per forward pass.
        max_length: tokens per item; longer ones are cut.
        items_available: items in the whole split; those given if not said.

    Returns:
        one Score, or two for MRPC and STS-B; `extra` holds the share of the most frequent class
        (what a constant answer would score), for STS-B the mean absolute difference of the two
        models' numbers. The first Score also holds the seconds, which both share.

    Raises:
        ValueError: the classes of the model are not those of the task; no items (STS-B: fewer than
            four, or a model gives them all the same number); NaN in the logits.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    if not items:
        raise ValueError(f"{task}: no items to score")
    original = Original.of(ann)
    config = original.model.config
    order = _class_order(config, task)
    for model in (original.model, *([] if snn is None else [snn])):
        refuse_dense_checkpoint(model)
    outputs, seconds = _outputs(original, snn, tokenizer, items, task, batch_size, max_length)
    labels = np.array([item.label for item in items])
    available = len(items) if items_available is None else items_available
    if not GLUE[task].labels:
        numbers = {which: values[:, 0].numpy() for which, values in outputs.items()}
        return _regression(task, numbers, labels, available, seconds)
    logits = {which: values[:, order] for which, values in outputs.items()}
    if _unnamed(config):
        _warn_of_another_order(logits["ann"].argmax(-1).numpy(), labels, task)
    return _classification(task, logits, labels, available, seconds)


def _class_order(config: PreTrainedConfig, task: str) -> list[int]:
    """For each class of the task, in GLUE's order, its index among the model's logits."""
    labels = GLUE[task].labels
    if config.num_labels != max(len(labels), 1):
        wanted = f"the classes {', '.join(labels)}" if labels else "one score"
        raise ValueError(
            f"{task} has {wanted}, and the model gives {config.num_labels} numbers: it was not"
            " fine-tuned for this task"
        )
    if not labels or _unnamed(config):
        return list(range(len(labels)))
    names = [normal_name(config.id2label[i]) for i in range(len(labels))]
    if set(names) != set(labels):
        raise ValueError(
            f"the model's classes are {', '.join(names)} and those of {task} are"
            f" {', '.join(labels)}: if they mean the same, correct id2label in its config.json"
        )
    return [names.index(label) for label in labels]


def _unnamed(config: PreTrainedConfig) -> bool:
    return all(_UNNAMED.fullmatch(normal_name(str(name))) for name in config.id2label.values())


def _warn_of_another_order(predicted: np.ndarray, labels: np.ndarray, task: str) -> None:
    names = GLUE[task].labels
    shares = {
        order: float((np.array(order)[predicted] == labels).mean())
        for order in itertools.permutations(range(len(names)))
    }
    best = max(shares, key=lambda order: shares[order])
    given = tuple(range(len(names)))
    noise = 0.5 / math.sqrt(len(labels))  # the largest standard error that a share can have
    if shares[best] > shares[given] + 3 * noise:
        warnings.warn(
            f"{task}: the model does not name its classes, so GLUE's order is taken, by which it"
            f" is right on {shares[given]:.1%} of the items. In the order"
            f" {', '.join(names[i] for i in best)} it would be on {shares[best]:.1%}: if that is"
            " how it was trained, write it into id2label of its config.json",
            stacklevel=3,
        )


@torch.no_grad()
def _outputs(
    original: Original,
    snn: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[LabelledText],
    task: str,
    batch_size: int,
    max_length: int,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Logits (items, classes) in float64 of each model, and its computing time."""
    rows: dict[str, list[Tensor]] = {"ann": []} if snn is None else {"ann": [], "snn": []}
    seconds = dict.fromkeys(rows, 0.0)
    order: list[int] = []
    texts = [item.texts for item in items]
    for indices, inputs in batches_of_like_length(tokenizer, texts, batch_size, max_length, task):
        order += indices
        key = content_key(inputs)
        answers = {"ann": original.once(key, partial(_logits, original.model, inputs))}
        if snn is not None:
            answers["snn"] = _logits(snn, inputs)
        for which, (logits, took) in answers.items():
            seconds[which] += took
            require_finite(logits, which.upper(), f"an item of {task}")
            rows[which].append(logits.double())
    places = torch.tensor(order).argsort()
    return {which: torch.cat(parts)[places] for which, parts in rows.items()}, seconds


def _logits(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> tuple[Tensor, float]:
    """Logits (B, classes), and the seconds that they took."""
    device = input_device(model)
    on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
    began = time.perf_counter()
    logits = model(**on_device).logits.cpu()
    return logits, time.perf_counter() - began


def _classification(
    task: str,
    logits: dict[str, Tensor],
    labels: np.ndarray,
    available: int,
    seconds: dict[str, float],
) -> list[Score]:
    from sklearn.metrics import accuracy_score, f1_score

    predicted = {which: values.argmax(-1).numpy() for which, values in logits.items()}
    agreement, kl = None, None
    if "snn" in logits:
        agreement = float((predicted["ann"] == predicted["snn"]).mean())
        log_p, log_q = logits["ann"].log_softmax(-1), logits["snn"].log_softmax(-1)
        kl = float((log_p.exp() * (log_p - log_q)).sum(-1).mean())

    def score(metric: str, extra: dict[str, float]) -> Score:
        values, errors = {}, {}
        for which, answers in predicted.items():
            right = answers == labels
            if metric == "acc":
                values[which] = float(accuracy_score(labels, answers))
                errors[which] = mean_stderr(right.astype(float))
            else:
                # F1 is 2 TP / (2 TP + FP + FN), summed over items
                values[which] = float(f1_score(labels, answers, zero_division=0))
                found = 2.0 * (right & (labels == 1))
                errors[which] = ratio_stderr(found, found + ~right)
        return Score(
            task=PREFIX + task,
            metric=metric,
            higher_is_better=True,
            ann=values["ann"],
            snn=values.get("snn"),
            ann_stderr=errors["ann"],
            snn_stderr=errors.get("snn"),
            items=len(labels),
            items_available=available,
            agreement=agreement,
            kl=kl,
            extra=extra,
        )

    most = np.unique(labels, return_counts=True)[1].max()
    majority = {"majority": float(most / len(labels))}
    first = score("acc", majority | {f"seconds_{which}": s for which, s in seconds.items()})
    return [first, score("f1", {})] if task == "mrpc" else [first]


def _regression(
    task: str,
    numbers: dict[str, np.ndarray],
    labels: np.ndarray,
    available: int,
    seconds: dict[str, float],
) -> list[Score]:
    from scipy import stats

    if len(labels) < 4:
        raise ValueError(f"{task}: a correlation needs at least 4 items, got {len(labels)}")
    for name, values in [("data set", labels), *((w.upper(), v) for w, v in numbers.items())]:
        if np.ptp(values) == 0:
            raise ValueError(f"{task}: the {name} gives every item the same number")
    agreement = None
    extra: dict[str, float] = {}
    if "snn" in numbers:
        tau = float(stats.kendalltau(numbers["ann"], numbers["snn"]).statistic)
        agreement = (1 + tau) / 2
        extra["mean_abs_difference"] = float(np.abs(numbers["ann"] - numbers["snn"]).mean())
    scores = []
    for metric, correlation in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        r = {which: float(correlation(v, labels).statistic) for which, v in numbers.items()}
        errors = {w: 100 * correlation_stderr(v, len(labels), metric) for w, v in r.items()}
        timing = {f"seconds_{which}": s for which, s in seconds.items()}
        scores.append(
            Score(
                task=PREFIX + task,
                metric=metric,
                higher_is_better=True,
                ann=100 * r["ann"],
                snn=100 * r["snn"] if "snn" in r else None,
                ann_stderr=errors["ann"],
                snn_stderr=errors.get("snn"),
                items=len(labels),
                items_available=available,
                agreement=agreement,
                extra=extra | (timing if metric == "pearson" else {}),
            )
        )
    return scores

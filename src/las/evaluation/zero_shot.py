"""Zero-shot multiple choice with lm-eval (Table 1), both models on the same items."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from las.evaluation.checks import refuse_dense_checkpoint
from las.evaluation.score import Score
from las.evaluation.tasks import load_tasks


def compare_zero_shot(
    ann: PreTrainedModel,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Sequence[str],
    *,
    directory: Path | None,
    limit: int | None = None,
    batch_size: int = 8,
) -> list[Score]:
    """Accuracy of both causal language models on lm-eval's packaged tasks, without examples.

    A model chooses the continuation (or context) of the highest log-likelihood; accuracy is
    lm-eval's `acc`, as the paper reports it, and its standard error is the sample's.
    `agreement` is the share of items for which both models choose alike, `kl` the mean over items
    of KL(ANN || SNN) between the softmaxes of the choices' log-likelihoods, in nats.

    Arguments:
        ann, snn: the original and its spike-equivalent.
        tokenizer: theirs.
        tasks: names out of `las.evaluation.tasks.TASKS`.
        directory: local data sets, or None for the hub (see `load_tasks`).
        limit: score only the first so many items of each task.
        batch_size: sequences per forward pass.

    Returns:
        one Score per task, in the order given. `extra`: accuracies by length-normalised
        log-likelihood where the task defines them, largest KL of an item, seconds.

    Raises:
        ValueError: unknown or repeated tasks, a limit below 1, or a model gives NaN.
        AssetError: a data set is missing.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    from lm_eval.evaluator import evaluate

    from las.evaluation.choice_model import ChoiceModel

    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    refuse_dense_checkpoint(ann)
    refuse_dense_checkpoint(snn)
    scores = []
    with _quiet_lm_eval():
        loaded = load_tasks(tasks, directory)
        models = {
            which: ChoiceModel(model, tokenizer, which=which, batch_size=batch_size)
            for which, model in (("ANN", ann), ("SNN", snn))
        }
        for name in tqdm(tasks, desc="zero-shot tasks", unit="task"):
            samples: dict[str, list[dict[str, Any]]] = {}
            seconds: dict[str, float] = {}
            for which, lm in models.items():
                before = lm.seconds
                results = evaluate(
                    lm, {"tasks": {name: loaded[name]}}, limit=limit, bootstrap_iters=0
                )
                samples[which] = results["samples"][name]
                seconds[which] = lm.seconds - before
            available = len(loaded[name].eval_docs)
            scores.append(_score(name, samples["ANN"], samples["SNN"], seconds, available))
    return scores


@contextmanager
def _quiet_lm_eval() -> Iterator[None]:
    """Keep lm-eval's remarks on how it is called out of the output; its errors still come."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _score(
    name: str,
    ann: list[dict[str, Any]],
    snn: list[dict[str, Any]],
    seconds: dict[str, float],
    available: int,
) -> Score:
    if [item["doc_hash"] for item in ann] != [item["doc_hash"] for item in snn]:
        raise RuntimeError(f"{name}: ANN and SNN were not scored on the same items")
    alike, kls = [], []
    for ann_item, snn_item in zip(ann, snn, strict=True):
        ann_choices, snn_choices = _log_likelihoods(ann_item), _log_likelihoods(snn_item)
        alike.append(ann_choices.argmax() == snn_choices.argmax())
        log_p, log_q = log_softmax(ann_choices), log_softmax(snn_choices)
        kls.append(float((np.exp(log_p) * (log_p - log_q)).sum()))
    extra = {
        "kl_max": max(kls),
        "seconds_ann": seconds["ANN"],
        "seconds_snn": seconds["SNN"],
    }
    if "acc_norm" in ann[0]:
        extra["acc_norm_ann"] = float(np.mean([item["acc_norm"] for item in ann]))
        extra["acc_norm_snn"] = float(np.mean([item["acc_norm"] for item in snn]))
    ann_right = np.array([item["acc"] for item in ann], dtype=float)
    snn_right = np.array([item["acc"] for item in snn], dtype=float)
    return Score(
        task=name,
        metric="acc",
        higher_is_better=True,
        ann=float(ann_right.mean()),
        snn=float(snn_right.mean()),
        ann_stderr=_mean_stderr(ann_right),
        snn_stderr=_mean_stderr(snn_right),
        items=len(ann),
        items_available=available,
        agreement=float(np.mean(alike)),
        kl=float(np.mean(kls)),
        extra=extra,
    )


def _log_likelihoods(item: dict[str, Any]) -> np.ndarray:
    """Log-likelihood of each choice of one logged item, in nats."""
    return np.array([log_likelihood for log_likelihood, _ in item["filtered_resps"]])


def _mean_stderr(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None

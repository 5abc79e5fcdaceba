"""Zero-shot multiple choice with lm-eval (Table 1), both models on the same items."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from las.evaluation.checks import refuse_dense_checkpoint
from las.evaluation.original import Original
from las.evaluation.processes import ALONE, Processes
from las.evaluation.score import Score
from las.evaluation.standard_errors import mean_stderr
from las.evaluation.tasks import load_tasks


def compare_zero_shot(
    ann: PreTrainedModel | Original,
    snn: PreTrainedModel | None,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Sequence[str],
    *,
    directory: Path | None,
    limit: int | None = None,
    batch_size: int = 8,
    processes: Processes = ALONE,
) -> list[Score]:
    """Accuracy of both language models on lm-eval's packaged tasks, without examples.

    A model chooses the continuation (or context) of the highest log-likelihood; accuracy is
    lm-eval's `acc`, as the paper reports it, and its standard error is the sample's.
    `agreement` is the share of items for which both models choose alike, `kl` the mean over items
    of KL(ANN || SNN) between the softmaxes of the choices' log-likelihoods, in nats.

    Arguments:
        ann: the original, a causal or an encoder-decoder language model, or an `Original` of it.
        snn: its spike-equivalent; None scores the original alone.
        tokenizer: theirs.
        tasks: names out of `las.evaluation.tasks.TASKS`.
        directory: local data sets, or None for the hub (see `load_tasks`).
        limit: score only the first so many items of each task.
        batch_size: sequences per forward pass.
        processes: which share the sequences out. Each calls this with models and arguments of its
            own, and gets all scores; its spiking model counts the spikes of its share.

    Returns:
        one Score per task, in the order given. `extra`: accuracies by length-normalised
        log-likelihood where the task defines them, largest KL of an item, seconds.

    Raises:
        ValueError: unknown or repeated tasks, a limit below 1, or a model gives NaN.
        AssetError: a data set is missing.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
        ProcessError: one of several processes failed.
    """
    from lm_eval.evaluator import evaluate

    from las.evaluation.choice_model import ChoiceModel

    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    original = Original.of(ann)
    pair = {"ANN": original.model} if snn is None else {"ANN": original.model, "SNN": snn}
    for model in pair.values():
        refuse_dense_checkpoint(model)
    scores = []
    with _quiet_lm_eval():
        loaded = load_tasks(tasks, directory)
        models = {
            which: ChoiceModel(
                model, tokenizer, which=which, batch_size=batch_size, processes=processes
            )
            for which, model in pair.items()
        }

        def answers(which: str, name: str) -> tuple[list[dict[str, Any]], float]:
            lm = models[which]
            before = lm.seconds
            results = evaluate(lm, {"tasks": {name: loaded[name]}}, limit=limit, bootstrap_iters=0)
            return results["samples"][name], lm.seconds - before

        shown = tqdm(tasks, desc="zero-shot tasks", unit="task") if processes.rank == 0 else tasks
        for name in shown:
            key = (name, directory, limit, batch_size)
            found = {"ANN": original.once(key, partial(answers, "ANN", name))}
            if snn is not None:
                found["SNN"] = answers("SNN", name)
            samples = {which: items for which, (items, _) in found.items()}
            seconds = {which: took for which, (_, took) in found.items()}
            available = len(loaded[name].eval_docs)
            scores.append(_score(name, samples, seconds, available))
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
    samples: dict[str, list[dict[str, Any]]],
    seconds: dict[str, float],
    available: int,
) -> Score:
    right = {which: _shares(items, "acc") for which, items in samples.items()}
    means = {which: float(values.mean()) for which, values in right.items()}
    errors = {which: mean_stderr(values) for which, values in right.items()}
    extra = {f"seconds_{which.lower()}": value for which, value in seconds.items()}
    if "acc_norm" in samples["ANN"][0]:
        for which, items in samples.items():
            extra[f"acc_norm_{which.lower()}"] = float(_shares(items, "acc_norm").mean())
    alike, kls = None, None
    if "SNN" in samples:
        alike, kls = _compare(name, samples["ANN"], samples["SNN"])
        extra["kl_max"] = float(kls.max())
    return Score(
        task=name,
        metric="acc",
        higher_is_better=True,
        ann=means["ANN"],
        snn=means.get("SNN"),
        ann_stderr=errors["ANN"],
        snn_stderr=errors.get("SNN"),
        items=len(samples["ANN"]),
        items_available=available,
        agreement=None if alike is None else float(alike.mean()),
        kl=None if kls is None else float(kls.mean()),
        extra=extra,
    )


def _shares(items: list[dict[str, Any]], metric: str) -> np.ndarray:
    return np.array([item[metric] for item in items], dtype=float)


def _compare(
    name: str, ann: list[dict[str, Any]], snn: list[dict[str, Any]]
) -> tuple[np.ndarray, np.ndarray]:
    """For each item: whether both models choose alike, and KL(ANN || SNN) of the choices."""
    if [item["doc_hash"] for item in ann] != [item["doc_hash"] for item in snn]:
        raise RuntimeError(f"{name}: ANN and SNN were not scored on the same items")
    alike, kls = [], []
    for ann_item, snn_item in zip(ann, snn, strict=True):
        ann_choices, snn_choices = _log_likelihoods(ann_item), _log_likelihoods(snn_item)
        alike.append(ann_choices.argmax() == snn_choices.argmax())
        log_p, log_q = log_softmax(ann_choices), log_softmax(snn_choices)
        kls.append(float((np.exp(log_p) * (log_p - log_q)).sum()))
    return np.array(alike), np.array(kls)


def _log_likelihoods(item: dict[str, Any]) -> np.ndarray:
    """Log-likelihood of each choice of one logged item, in nats."""
    return np.array([log_likelihood for log_likelihood, _ in item["filtered_resps"]])

"""Language models on text: perplexity, bits per byte, and how far the SNN strays from the ANN."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from las.data.windows import Window
from las.evaluation.checks import refuse_dense_checkpoint, require_finite
from las.evaluation.original import Original, content_key
from las.evaluation.score import Score
from las.evaluation.standard_errors import ratio_stderr
from las.hosts.offload import input_device

Metric = Literal["perplexity", "bits_per_byte"]

_CHUNK = 64
"""Tokens whose float64 log-probabilities are held at a time (64 x 49,152 x 8 bytes = 25 MB)."""


@dataclass(frozen=True)
class WindowResult:
    """Sums over the predicted tokens of one window, in nats."""

    ann_nll: float
    snn_nll: float
    kl: float
    same_top: int


def compare_language_models(
    ann: PreTrainedModel | Original,
    snn: PreTrainedModel,
    windows: Sequence[Window],
    *,
    task: str,
    metric: Metric,
    tokens_available: int | None = None,
) -> Score:
    """Score both causal language models on the same windows, one window at a time.

    Each window is read on its own; its first token is context, the others are predicted.
    "perplexity" is exp(mean negative log-likelihood per token); "bits_per_byte" divides the same
    sum by the UTF-8 bytes of the source text that the predicted tokens stand for, and by ln 2.
    Log-softmax and KL(ANN || SNN) are computed in float64 from the models' logits. The standard
    errors are those of a ratio of sums over windows (tokens of one window are not independent).

    Arguments:
        ann, snn: the original (or an `Original`, which remembers) and its spike-equivalent.
        windows: token windows, each with at least two tokens.
        task: the name to report.
        metric: which of the two metrics.
        tokens_available: predicted tokens in the whole text; those of `windows` if not given.

    Returns:
        a Score whose items are predicted tokens. `extra`: relative change of the metric in percent
        and its standard error (paired), windows, word-normalised perplexities (as WikiText
        reports them), seconds.

    Raises:
        ValueError: no windows, an unknown metric, or a model gives NaN or infinite logits.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    if metric not in ("perplexity", "bits_per_byte"):
        raise ValueError(f"metric is 'perplexity' or 'bits_per_byte', not {metric!r}")
    if not windows:
        raise ValueError(f"{task}: no windows of text to score")
    original = Original.of(ann)
    refuse_dense_checkpoint(original.model)
    refuse_dense_checkpoint(snn)
    results = []
    seconds = {"ann": 0.0, "snn": 0.0}
    for number, window in enumerate(tqdm(windows, desc=f"{task}: windows", unit="window")):
        where = f"window {number} of {task}"
        ann_logits, took = original_logits(original, window, where)
        seconds["ann"] += took
        snn_logits, took = logits_of(snn, "SNN", window, where)
        seconds["snn"] += took
        results.append(compare_logits(log_probabilities(ann_logits), snn_logits, window))
    return score_windows(
        results,
        windows,
        task=task,
        metric=metric,
        seconds=seconds,
        tokens_available=tokens_available,
    )


def score_windows(
    results: Sequence[WindowResult],
    windows: Sequence[Window],
    *,
    task: str,
    metric: Metric,
    seconds: Mapping[str, float],
    tokens_available: int | None = None,
) -> Score:
    """The score of what was found on each window; see `compare_language_models`.

    Arguments:
        results: one for each window.
        windows: the windows.
        task, metric, tokens_available: see `compare_language_models`.
        seconds: computing times of "ann" and "snn".
    """
    ann_nll = np.array([result.ann_nll for result in results])
    snn_nll = np.array([result.snn_nll for result in results])
    tokens = np.array([window.predicted_tokens for window in windows])
    byte_counts = np.array([window.byte_count for window in windows])
    words = int(sum(window.word_count for window in windows))
    token_count = int(tokens.sum())

    if metric == "perplexity":
        ann_value = math.exp(ann_nll.sum() / token_count)
        snn_value = math.exp(snn_nll.sum() / token_count)
        ann_stderr = _scaled(ann_value, ratio_stderr(ann_nll, tokens))
        snn_stderr = _scaled(snn_value, ratio_stderr(snn_nll, tokens))
        # the ratio of two perplexities is exp of the mean difference
        change_stderr = _scaled(snn_value / ann_value, ratio_stderr(snn_nll - ann_nll, tokens))
    else:
        if byte_counts.sum() == 0:
            raise ValueError(f"{task}: the windows stand for no bytes of text")
        per_byte = math.log(2) * byte_counts
        ann_value = float(ann_nll.sum() / per_byte.sum())
        snn_value = float(snn_nll.sum() / per_byte.sum())
        ann_stderr = ratio_stderr(ann_nll, per_byte)
        snn_stderr = ratio_stderr(snn_nll, per_byte)
        change_stderr = ratio_stderr(snn_nll - ann_nll, ann_nll)

    extra = {
        "relative_change_percent": 100 * (snn_value / ann_value - 1),
        "windows": float(len(windows)),
        "seconds_ann": seconds["ann"],
        "seconds_snn": seconds["snn"],
    }
    if change_stderr is not None:
        extra["relative_change_stderr_percent"] = 100 * change_stderr
    if metric == "perplexity" and words:
        extra["word_perplexity_ann"] = math.exp(ann_nll.sum() / words)
        extra["word_perplexity_snn"] = math.exp(snn_nll.sum() / words)
    return Score(
        task=task,
        metric=metric,
        higher_is_better=False,
        ann=ann_value,
        snn=snn_value,
        ann_stderr=ann_stderr,
        snn_stderr=snn_stderr,
        items=token_count,
        items_available=token_count if tokens_available is None else tokens_available,
        agreement=sum(result.same_top for result in results) / token_count,
        kl=sum(result.kl for result in results) / token_count,
        extra=extra,
    )


def original_logits(original: Original, window: Window, where: str) -> tuple[Tensor, float]:
    """What `logits_of` gives for the original, which reads a window once."""
    key = content_key({"input_ids": window.input_ids})
    return original.once(key, lambda: logits_of(original.model, "ANN", window, where))


@torch.no_grad()
def logits_of(
    model: PreTrainedModel, which: str, window: Window, where: str
) -> tuple[Tensor, float]:
    """Logits (L - 1, V) that predict the tokens after the first, and the seconds they took."""
    input_ids = window.input_ids[None].to(input_device(model))
    start = time.perf_counter()
    logits = model(
        input_ids=input_ids, attention_mask=torch.ones_like(input_ids), use_cache=False
    ).logits[0, :-1]
    if logits.device.type == "cuda":
        torch.cuda.synchronize(logits.device)
    seconds = time.perf_counter() - start
    require_finite(logits, which, where)
    return logits, seconds


def log_probabilities(logits: Tensor) -> Iterator[Tensor]:
    """Log-softmax in float64 of logits (tokens, V), some tokens at a time."""
    for chunk in logits.split(_CHUNK):
        yield chunk.double().log_softmax(-1)


def compare_logits(
    ann_log_probabilities: Iterable[Tensor], snn_logits: Tensor, window: Window
) -> WindowResult:
    """Compare both models' predictions of a window.

    Arguments:
        ann_log_probabilities: the original's, as `log_probabilities` cuts them.
        snn_logits: (L - 1, V) of the spiking model.
        window: its L tokens.
    """
    sums = torch.zeros(3, dtype=torch.float64)
    same_top = 0
    targets = window.input_ids[1:].split(_CHUNK)
    chunks = zip(ann_log_probabilities, snn_logits.split(_CHUNK), targets, strict=True)
    for log_p, logits, target in chunks:
        log_q = logits.to(log_p.device).double().log_softmax(-1)  # (tokens, V)
        place = target[:, None].to(log_p.device)
        parts = (
            -log_p.gather(-1, place).sum(),
            -log_q.gather(-1, place).sum(),
            (log_p.exp() * (log_p - log_q)).sum(),
        )
        sums += torch.stack(parts).cpu()
        same_top += int((log_p.argmax(-1) == log_q.argmax(-1)).sum())
    ann_nll, snn_nll, kl = sums.tolist()
    return WindowResult(ann_nll, snn_nll, kl, same_top)


def _scaled(factor: float, stderr: float | None) -> float | None:
    return None if stderr is None else factor * stderr

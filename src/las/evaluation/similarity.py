"""Encoders on similarity: the correlation of cosines with human ratings, as STS is reported."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from las.data.rated_pairs import RatedPair
from las.evaluation.batches import batches_of_like_length
from las.evaluation.checks import refuse_dense_checkpoint, require_finite
from las.evaluation.original import Original, content_key
from las.evaluation.score import Score
from las.evaluation.standard_errors import correlation_stderr
from las.hosts.offload import input_device


@dataclass(frozen=True)
class _Embeddings:
    ann: Tensor  # (texts, d), each of length 1
    snn: Tensor
    hidden_error: float  # mean over tokens of |h_snn - h_ann| / |h_ann|
    seconds_ann: float
    seconds_snn: float


def compare_encoders(
    ann: PreTrainedModel | Original,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[RatedPair],
    *,
    task: str,
    batch_size: int = 32,
    max_length: int = 256,
    pairs_available: int | None = None,
) -> list[Score]:
    """Spearman and Pearson correlation (x100) of both encoders with the human ratings.

    A text's embedding is the mean of its last hidden states over its tokens (padding left out),
    scaled to length 1, as sentence-transformers does; a pair's score is the cosine.

    Standard errors are by Fisher's z, sqrt(1 / (n - 3)) for Pearson and, after Bonett and Wright,
    sqrt((1 + r^2 / 2) / (n - 3)) for Spearman, carried back to r; they take pairs as independent,
    which pairs that share texts are not. `agreement` is the share of pairs of pairs that both
    models put in the same order (Kendall's tau between the two models' cosines, as (1 + tau) / 2).

    Arguments:
        ann, snn: the original (or an `Original`, which remembers) and its spike-equivalent.
        tokenizer: theirs.
        pairs: at least four rated pairs.
        task: the name to report.
        batch_size: texts per forward pass.
        max_length: tokens per text; longer texts are cut.
        pairs_available: pairs in the whole set; those given if not said.

    Returns:
        two Scores; `extra` holds the mean relative error of the last hidden state (per token,
        padding left out) and the mean absolute difference of the cosines; the first Score also
        holds the seconds, which both share.

    Raises:
        ValueError: fewer than four pairs, constant ratings or cosines, NaN in the hidden states.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    from scipy import stats

    if len(pairs) < 4:
        raise ValueError(f"{task}: a correlation needs at least 4 pairs, got {len(pairs)}")
    ratings = np.array([pair.rating for pair in pairs])
    if np.ptp(ratings) == 0:
        raise ValueError(f"{task}: all ratings are {ratings[0]}, nothing can correlate with them")
    original = Original.of(ann)
    refuse_dense_checkpoint(original.model)
    refuse_dense_checkpoint(snn)

    texts = sorted({text for pair in pairs for text in (pair.first, pair.second)})
    row = {text: i for i, text in enumerate(texts)}
    embeddings = _embed(original, snn, tokenizer, texts, task, batch_size, max_length)
    first = torch.tensor([row[pair.first] for pair in pairs])
    second = torch.tensor([row[pair.second] for pair in pairs])
    ann_cosines = (embeddings.ann[first] * embeddings.ann[second]).sum(-1).numpy()
    snn_cosines = (embeddings.snn[first] * embeddings.snn[second]).sum(-1).numpy()
    for which, cosines in (("ANN", ann_cosines), ("SNN", snn_cosines)):
        if np.ptp(cosines) == 0:
            raise ValueError(f"{task}: the {which} finds every pair equally similar")

    order_agreement = (1 + float(stats.kendalltau(ann_cosines, snn_cosines).statistic)) / 2
    extra = {
        "hidden_relative_error": embeddings.hidden_error,
        "cosine_mean_abs_difference": float(np.abs(ann_cosines - snn_cosines).mean()),
    }
    seconds = {"seconds_ann": embeddings.seconds_ann, "seconds_snn": embeddings.seconds_snn}
    scores = []
    for metric, correlation in (("spearman", stats.spearmanr), ("pearson", stats.pearsonr)):
        ann_r = float(correlation(ann_cosines, ratings).statistic)
        snn_r = float(correlation(snn_cosines, ratings).statistic)
        scores.append(
            Score(
                task=task,
                metric=metric,
                higher_is_better=True,
                ann=100 * ann_r,
                snn=100 * snn_r,
                ann_stderr=100 * correlation_stderr(ann_r, len(pairs), metric),
                snn_stderr=100 * correlation_stderr(snn_r, len(pairs), metric),
                items=len(pairs),
                items_available=len(pairs) if pairs_available is None else pairs_available,
                agreement=order_agreement,
                extra=extra | (seconds if metric == "spearman" else {}),
            )
        )
    return scores


@torch.no_grad()
def _embed(
    original: Original,
    snn: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: list[str],
    task: str,
    batch_size: int,
    max_length: int,
) -> _Embeddings:
    """Embed each text once with both models."""
    order: list[int] = []
    rows: dict[str, list[Tensor]] = {"ann": [], "snn": []}
    seconds = {"ann": 0.0, "snn": 0.0}
    error_sum, token_count = 0.0, 0
    batches = batches_of_like_length(
        tokenizer, [(text,) for text in texts], batch_size, max_length, task
    )
    for indices, inputs in batches:
        order += indices
        mask = inputs["attention_mask"].bool()  # (B, L)
        key = content_key(inputs)
        answers = {
            "ann": original.once(key, partial(_last_hidden_states, original.model, inputs)),
            "snn": _last_hidden_states(snn, inputs),
        }
        hidden: dict[str, Tensor] = {}
        for which, (states, took) in answers.items():
            seconds[which] += took
            require_finite(states[mask], which.upper(), f"a text of {task}")
            hidden[which] = states.double() * mask[..., None]
            mean = hidden[which].sum(1) / mask.sum(1, keepdim=True)
            rows[which].append(functional.normalize(mean, dim=-1))
        errors = (hidden["snn"] - hidden["ann"])[mask].norm(dim=-1)
        error_sum += float((errors / hidden["ann"][mask].norm(dim=-1)).sum())
        token_count += int(mask.sum())
    places = torch.tensor(order).argsort()
    return _Embeddings(
        ann=torch.cat(rows["ann"])[places],
        snn=torch.cat(rows["snn"])[places],
        hidden_error=error_sum / token_count,
        seconds_ann=seconds["ann"],
        seconds_snn=seconds["snn"],
    )


def _last_hidden_states(
    model: PreTrainedModel, inputs: Mapping[str, Tensor]
) -> tuple[Tensor, float]:
    """The states (B, L, d), and the seconds that they took."""
    device = input_device(model)
    on_device = {name: tensor.to(device) for name, tensor in inputs.items()}
    began = time.perf_counter()
    states = model(**on_device).last_hidden_state.cpu()
    return states, time.perf_counter() - began

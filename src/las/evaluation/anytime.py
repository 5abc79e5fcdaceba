"""Language models read off after each of their T time steps: what every step adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tqdm.auto import tqdm
from transformers import PreTrainedModel

from las.conversion.simulate import stop_after, time_steps
from las.data.windows import Window
from las.energy.counting import count_spikes
from las.evaluation.checks import refuse_dense_checkpoint
from las.evaluation.original import Original
from las.evaluation.score import Score
from las.evaluation.text import (
    WindowResult,
    compare_logits,
    log_probabilities,
    logits_of,
    original_logits,
    score_windows,
)
from las.hosts.twin import twin
from las.neurons.tally import SpikeTally

AFTER = "perplexity_after_"
"""The metric, with t behind it: perplexity after t of the T time steps."""


def compare_after_each_step(
    ann: PreTrainedModel | Original,
    snn: PreTrainedModel,
    windows: Sequence[Window],
    *,
    task: str,
    tokens_available: int | None = None,
) -> list[Score]:
    """Score a spiking causal language model that is stopped after t = 1 .. T of its time steps.

    The original reads each window once, the spiking model once for every t; see
    `las.stop_after` for what is left of it then. Where the caller counts its spikes, those of whole
    passes count: it is a twin of it that is stopped before.

    Arguments: as for `las.evaluation.text.compare_language_models`.

    Returns:
        T perplexities, with the KL(ANN || SNN) and the share of tokens whose most likely successor
        is the same. `extra` adds `after_steps` (t), `spikes_per_token` and `sops_per_token`;
        `spikes` is what was counted in the first t steps.

    Raises:
        ValueError: no windows, or a model gives NaN or infinite logits.
        UnsupportedModelError: a spiking checkpoint that was loaded dense.
    """
    if not windows:
        raise ValueError(f"{task}: no windows of text to score")
    original = Original.of(ann)
    refuse_dense_checkpoint(original.model)
    refuse_dense_checkpoint(snn)
    steps = range(1, time_steps(snn) + 1)
    stopped = twin(snn)
    results: dict[int, list[WindowResult]] = {t: [] for t in steps}
    tallies = {t: SpikeTally() for t in steps}
    seconds = {t: {"ann": 0.0, "snn": 0.0} for t in steps}
    progress = tqdm(total=len(windows) * len(steps), desc=f"{task}: each time step", unit="pass")
    for number, window in enumerate(windows):
        where = f"window {number} of {task}"
        ann_logits, took = original_logits(original, window, where)
        seconds[steps[-1]]["ann"] += took
        ann_log_probabilities = list(log_probabilities(ann_logits))
        for t in steps:
            model = snn if t == steps[-1] else stopped
            with stop_after(model, t), count_spikes(model) as spikes:
                logits, took = logits_of(model, "SNN", window, f"{where}, step {t}")
            seconds[t]["snn"] += took
            results[t].append(compare_logits(ann_log_probabilities, logits, window))
            tallies[t].merge(spikes)
            progress.update()
    progress.close()
    return [
        _score(results[t], windows, task, seconds[t], tokens_available, t, tallies[t])
        for t in steps
    ]


def _score(
    results: Sequence[WindowResult],
    windows: Sequence[Window],
    task: str,
    seconds: dict[str, float],
    tokens_available: int | None,
    t: int,
    tally: SpikeTally,
) -> Score:
    score = score_windows(
        results,
        windows,
        task=task,
        metric="perplexity",
        seconds=seconds,
        tokens_available=tokens_available,
    )
    extra = score.extra | {
        "after_steps": float(t),
        "spikes_per_token": tally.spikes / tally.tokens,
        "sops_per_token": sum(op.sops for op in tally.operations.values()) / tally.tokens,
    }
    return replace(score, metric=f"{AFTER}{t}", extra=extra, spikes=tally)

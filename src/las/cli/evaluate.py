"""las evaluate: a language model and its spiking version on the same text."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from las.cli.options import (
    SCORED_WINDOWS,
    add_adapter,
    add_command,
    add_sizes,
    add_unseen_text,
)

if TYPE_CHECKING:
    from las.evaluation.score import Score


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    summary = "score a language model and its spiking version on text"
    evaluate = add_command(commands, "evaluate", run, summary)
    add_adapter(evaluate)
    add_unseen_text(evaluate)
    add_sizes(evaluate, SCORED_WINDOWS)
    evaluate.add_argument(
        "--each-step", action="store_true", help="score after each of the T time steps"
    )


def run(options: argparse.Namespace) -> None:
    """Score both models and print the scores."""
    from las.cli.texts import need_file, windows
    from las.conversion.adapter import load
    from las.evaluation.anytime import compare_after_each_step
    from las.evaluation.text import compare_language_models
    from las.hosts.loading import is_language_model, load_model, load_tokenizer
    from las.hosts.twin import twin

    need_file(options.text)
    ann, tokenizer = load_model(options.model), load_tokenizer(options.model)
    if not is_language_model(ann):
        raise ValueError(
            f"{options.model} is a {type(ann).__name__}: las evaluate scores causal language "
            "models; for encoders see las.evaluation.similarity"
        )
    snn = load(twin(ann), options.adapter)
    text, task = windows(ann, tokenizer, options), options.text.name
    if options.each_step:
        _print_steps(compare_after_each_step(ann, snn, text, task=task))
    else:
        _print_score(compare_language_models(ann, snn, text, task=task, metric="perplexity"))


def _print_steps(scores: Sequence[Score]) -> None:
    print(f"perplexity, ANN       {scores[0].ann:.5g}")
    print(" t   perplexity, SNN   KL(ANN || SNN)   same top-1 token   spikes per token")
    for t, score in enumerate(scores, start=1):
        print(
            f"{t:2}   {score.snn:15.5g}   {score.kl:14.3g}   {score.agreement:16.2%}   "
            f"{score.extra['spikes_per_token']:16,.0f}"
        )


def _print_score(score: Score) -> None:
    change = f"{score.extra['relative_change_percent']:+.4f} %"
    if "relative_change_stderr_percent" in score.extra:
        change += f" (± {score.extra['relative_change_stderr_percent']:.4f} %)"
    print(f"perplexity, ANN       {score.ann:.5g}")
    print(f"perplexity, SNN       {score.snn:.5g}")
    print(f"change                {change}")
    print(f"KL(ANN || SNN)        {score.kl:.3g} nats per token")
    print(f"same top-1 token      {score.agreement:.2%}")
    print(f"tokens predicted      {score.items:,}")
    print(
        f"seconds               ANN {score.extra['seconds_ann']:.1f}, "
        f"SNN {score.extra['seconds_snn']:.1f}"
    )

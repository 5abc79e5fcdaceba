"""Names of tasks and metrics, and scores, as the report shows them."""

from __future__ import annotations

import re

from las.evaluation.anytime import AFTER
from las.evaluation.score import Score
from las.reporting.table import Number

_SHARES = ("acc", "f1", "aAcc", "fAcc", "qAcc")
"""Metrics from 0 to 1, shown in per cent."""
_TASKS = {
    "wordsim353": "WordSim-353",
    "simlex999": "SimLex-999",
    "stsb": "STS-B, similarity",
    "lee": "Lee documents",
    "wikipedia": "held-out Wikipedia",
    "wikipedia_xml": "held-out Wikipedia XML",
    "piqa": "PIQA",
    "arc_easy": "ARC-Easy",
    "openbookqa": "OpenbookQA",
    "winogrande": "Winogrande",
    "copa": "COPA",
    "rte": "RTE",
    "wsc273": "WSC",
    "easy-vqa": "easy-VQA",
    "EasyVQA_MCQ": "easy-VQA, multiple choice",
    "EasyVQA_YORN": "easy-VQA, yes or no",
    "glue_qqp": "QQP",
    "glue_mnli": "MNLI-m",
    "glue_sst2": "SST-2",
    "glue_qnli": "QNLI",
    "glue_rte": "RTE (fine-tuned)",
    "glue_mrpc": "MRPC",
    "glue_stsb": "STS-B",
}
_EVALUATIONS = {
    "anytime": "text, stopped early",
    "enwik8": "Enwik8",
    "glue": "GLUE",
    "glue_full": "GLUE, whole",
    "similarity": "rated pairs",
    "text": "held-out text",
    "vlmeval": "VLMEvalKit",
    "vlmeval_paper": "VLMEvalKit, the paper's",
    "vqa": "visual questions",
    "wikitext103": "WikiText-103",
    "zero_shot": "zero-shot questions",
    "zero_shot_full": "zero-shot questions, all",
}
_METRICS = {
    "acc": "accuracy",
    "f1": "F1",
    "mme": "points",
    "perplexity": "perplexity",
    "bits_per_byte": "bits per byte",
    "spearman": "Spearman",
    "pearson": "Pearson",
}


_BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)(?:\.|$)")


def block_title(path: str) -> str:
    """The transformer block that a module belongs to, by its path."""
    match = _BLOCK.search(path)
    return f"block {match[1]}" if match else "outside the blocks"


def task_title(task: str) -> str:
    """A task's name as shown."""
    return _TASKS.get(task, task)


def evaluation_title(evaluation: str) -> str:
    """The name of an evaluation, conf/evaluation/<name>.yaml, as shown."""
    return _EVALUATIONS.get(evaluation, evaluation)


def metric_title(metric: str) -> str:
    """A metric's name as shown."""
    if metric.startswith(AFTER):
        return f"perplexity after {metric.removeprefix(AFTER)} steps"
    return _METRICS.get(metric, metric)


def ann_number(score: Score) -> Number:
    """The original's score; accuracies and F1 in per cent."""
    return scaled(score.metric, score.ann, score.ann_stderr)


def snn_number(score: Score) -> Number:
    """The spiking model's score; accuracies and F1 in per cent."""
    return scaled(score.metric, score.spiking, score.snn_stderr)


def scaled(metric: str, value: float, stderr: float | None = None) -> Number:
    """A value of a metric as shown; accuracies and F1 in per cent."""
    scale = 100.0 if metric in _SHARES else 1.0
    digits = 3 if metric in ("perplexity", "bits_per_byte") else 2
    return Number(value * scale, None if stderr is None else stderr * scale, f".{digits}f")

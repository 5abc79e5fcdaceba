"""The metrics of image sets and their standard errors, from what VLMEvalKit judged right.

Every metric is a sum of ratios: a numerator and a denominator are added up over groups of items
that are drawn together (the two questions on an image, say), and the standard error follows from
the spread of the groups by linearisation. Where each item is a group of its own and the ratio a
mean, that is the usual standard error of a mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

MME_PARTS = {
    "perception": (
        "OCR",
        "artwork",
        "celebrity",
        "color",
        "count",
        "existence",
        "landmark",
        "position",
        "posters",
        "scene",
    ),
    "reasoning": (
        "code_reasoning",
        "commonsense_reasoning",
        "numerical_calculation",
        "text_translation",
    ),
}


@dataclass(frozen=True)
class Value:
    """A metric of one model.

    Attributes:
        name: as in `Score`.
        value: the metric.
        stderr: its standard error, None where there are too few groups.
    """

    name: str
    value: float
    stderr: float | None


def values_of(name: str, judged: pd.DataFrame) -> list[Value]:
    """The metrics of a set, the one that the paper's Table 4 quotes first.

    Arguments:
        name: of the set. POPE, HallusionBench and MME have metrics of their own; for others it is
            the accuracy.
        judged: one row per item with the set's columns and `right`, whether the answer is.

    Returns:
        accuracies and F1 as shares from 0 to 1. For HallusionBench first the sum of its three
        accuracies x100, since the paper's 130.66 can be nothing else; for MME points, 2000 for
        perception and 800 for reasoning at most.
    """
    return {"POPE": _pope, "HallusionBench": _hallusion_bench, "MME": _mme}.get(name, _accuracy)(
        judged
    )


def groups_of(name: str, items: pd.DataFrame) -> pd.Series:
    """For each item of a set the group that cannot be divided, as text.

    These are the questions on an image in MME, and in HallusionBench the questions that are asked
    about the same figures; elsewhere every item is a group.
    """
    if name == "MME":
        return items["category"] + "/" + items["image_path"].astype(str)
    if name == "HallusionBench":
        return items["l2-category"] + "/" + items["index"].str.split("_").str[3]
    return pd.Series(items.index.astype(str), index=items.index)


def require_scorable(name: str, items: pd.DataFrame) -> None:
    """Raise a ValueError if a part of a set cannot be scored, which can only be with MME."""
    if name != "MME":
        return
    categories = [category for part in MME_PARTS.values() for category in part]
    missing = sorted(set(categories) - set(items["category"]))
    if missing or (groups_of(name, items).value_counts() != 2).any():
        raise ValueError(
            "MME is scored by pairs of questions on an image, in 14 categories; without an image:"
            f" {', '.join(missing) or 'none'}. Take more items"
        )


def sum_of_ratios(
    name: str, numerators: np.ndarray, denominators: np.ndarray, scale: float = 1.0
) -> Value:
    """Add ratios up.

    Arguments:
        name: of the metric.
        numerators, denominators: (ratios, groups); a group has a zero denominator in a ratio that
            it takes no part in. A ratio without any denominator counts as 0.
        scale: times this.
    """
    totals = np.maximum(denominators.sum(axis=1, keepdims=True), 1e-300)
    ratios = numerators.sum(axis=1, keepdims=True) / totals
    groups = np.count_nonzero(denominators, axis=1)
    value = scale * float(ratios.sum())
    if (groups < 2).any():
        return Value(name, value, None)
    small_sample = np.sqrt(groups / (groups - 1))[:, None]
    influence = (small_sample * (numerators - ratios * denominators) / totals).sum(axis=0)
    return Value(name, value, scale * float(np.sqrt((influence**2).sum())))


def _accuracy(judged: pd.DataFrame) -> list[Value]:
    right = judged["right"].to_numpy(float)[None]
    return [sum_of_ratios("acc", right, np.ones_like(right))]


def _pope(judged: pd.DataFrame) -> list[Value]:
    """F1 of Yes, then the accuracy; an item in several categories counts once in each."""
    times = judged["category"].str.count(",").to_numpy(float) + 1
    true = (judged["answer"] == "Yes").to_numpy()
    said = (judged["extracted"] == "Yes").to_numpy()
    hits = 2 * times * (true & said)
    f1 = sum_of_ratios("f1", hits[None], (hits + times * (true != said))[None])
    right = judged["right"].to_numpy(float)
    return [f1, sum_of_ratios("acc", (times * right)[None], times[None])]


def _hallusion_bench(judged: pd.DataFrame) -> list[Value]:
    """Share of questions, of figures and of questions over all their figures that are right."""
    place = judged["index"].str.split("_", expand=True)
    groups = groups_of("HallusionBench", judged)
    kept_together = {
        "aAcc": pd.Series(judged.index.astype(str), index=judged.index),
        "fAcc": groups + "/" + place[4],
        "qAcc": groups + "/" + place[5],
    }
    ratios = {}
    for name, together in kept_together.items():
        right = judged.groupby(together)["right"].all()
        group = groups.groupby(together).first()
        ratios[name] = right.groupby(group).agg(["sum", "count"]).sort_index().to_numpy(float)
    numerators = np.stack([ratio[:, 0] for ratio in ratios.values()])
    denominators = np.stack([ratio[:, 1] for ratio in ratios.values()])
    return [
        sum_of_ratios("aAcc+fAcc+qAcc", numerators, denominators, scale=100),
        *(sum_of_ratios(name, numerators[[i]], denominators[[i]]) for i, name in enumerate(ratios)),
    ]


def _mme(judged: pd.DataFrame) -> list[Value]:
    """Per category the accuracy over questions plus that over images, x100; added up."""
    require_scorable("MME", judged)
    images = judged.groupby(["category", groups_of("MME", judged)])["right"]
    points = (images.mean() + images.all()).reset_index(level=1, drop=True)

    def score(name: str, categories: tuple[str, ...]) -> Value:
        takes_part = np.stack([points.index == category for category in categories]).astype(float)
        return sum_of_ratios(name, takes_part * points.to_numpy(float), takes_part, scale=100)

    everything = tuple(category for part in MME_PARTS.values() for category in part)
    return [score("mme", everything), *(score(*part) for part in MME_PARTS.items())]

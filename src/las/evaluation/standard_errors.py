"""Standard errors of the scores."""

from __future__ import annotations

import math

import numpy as np


def mean_stderr(values: np.ndarray) -> float | None:
    """Standard error of the mean of independent values; None for fewer than two."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def ratio_stderr(numerators: np.ndarray, denominators: np.ndarray) -> float | None:
    """Standard error of sum(numerators) / sum(denominators) over independent units.

    By linearisation: the residuals of each unit from the ratio, over the sum of denominators.
    None for fewer than two units, or where the denominators add up to 0.
    """
    n = len(numerators)
    total = denominators.sum()
    if n < 2 or total == 0:
        return None
    residuals = numerators - numerators.sum() / total * denominators
    return float(np.sqrt(n / (n - 1) * np.square(residuals).sum()) / total)


def correlation_stderr(r: float, n: int, metric: str) -> float:
    """Standard error of a correlation r over n > 3 pairs, carried back from Fisher's z.

    sqrt(1 / (n - 3)) for "pearson" and, after Bonett and Wright, sqrt((1 + r^2 / 2) / (n - 3)) for
    "spearman", times 1 - r^2.
    """
    variance = (1 + r**2 / 2 if metric == "spearman" else 1) / (n - 3)
    return (1 - r**2) * math.sqrt(variance)

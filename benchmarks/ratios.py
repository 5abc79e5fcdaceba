"""What a handful of repeated measurements says: pairwise ratios, their median and spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and extremes of a few numbers.

    Quartiles interpolate linearly between the sorted numbers.
    """

    median: float
    lower_quartile: float
    upper_quartile: float
    smallest: float
    largest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one number."""
        smallest, lower, median, upper, largest = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
        return cls(
            float(median), float(lower), float(upper), float(smallest), float(largest), len(values)
        )


def pairwise_ratios(measured: Sequence[float], reference: Sequence[float]) -> list[float]:
    """One ratio for each round: what slows a whole round down cancels."""
    return [ours / theirs for ours, theirs in zip(measured, reference, strict=True)]


def noise_ratios(values: Sequence[float]) -> list[float]:
    """Each round over the round before it: what the machine alone does to a ratio."""
    return [later / earlier for earlier, later in pairwise(values)]

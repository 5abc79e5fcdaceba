"""Activation statistics of every neuron site: bounded in size whatever the length of the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from las.calibration.bins import BINS
from las.errors import CalibrationError
from las.files import array_file
from las.files.array_file import Array

FORMAT = "las-statistics-2"
FORMER = "las-statistics-1"
UNNAMED_CONTEXT = 2**15

_ARRAYS = ("histogram", "importance", "channel_peak")
_SCALARS = ("kind", "scale_free", "count", "low", "high", "total", "squares", "keys")


@dataclass
class SiteStatistics:
    """What calibration saw at one site.

    Attributes:
        kind: "oat", or the function of an HG site.
        scale_free: whether squared errors are weighted by 1 / mean square of their token.
        count: values seen, padding and masked entries excluded.
        low: smallest finite value.
        high: largest finite value.
        total: sum of the values.
        squares: sum of their squares.
        histogram: values in each magnitude bin, (BINS,); zeros are in none.
        importance: the same, each value weighted by what its squared error costs the consumer.
        channel_peak: largest magnitude of each channel, (channels,); empty where a site has none.
        keys: of the scores of queries and what softmax makes of them, the most keys of a query;
            0 at other sites, and where all inputs are equally long, as images are.
    """

    kind: str
    scale_free: bool = False
    count: int = 0
    low: float = float("inf")
    high: float = float("-inf")
    total: float = 0.0
    squares: float = 0.0
    histogram: Array = field(default_factory=lambda: np.zeros(BINS))
    importance: Array = field(default_factory=lambda: np.zeros(BINS))
    channel_peak: Array = field(default_factory=lambda: np.zeros(0))
    keys: int = 0

    @property
    def peak(self) -> float:
        """The largest magnitude seen."""
        return max(abs(self.low), abs(self.high)) if self.count else 0.0


@dataclass
class Statistics:
    """Statistics of a whole model.

    Attributes:
        sites: by site name.
        shared: a site that reads the same tensor as another one, to that other one's name.
        base: fingerprint of the model.
        model_type: the model's type, e.g. "llama".
        tokens: tokens seen, padding excluded.
        context: the longest context that the model's config names; 0 where it names none.
    """

    base: str
    model_type: str
    sites: dict[str, SiteStatistics] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    tokens: int = 0
    context: int = 0

    @property
    def farthest(self) -> int:
        """How many keys a query may see, whatever calibration saw; 0 where lengths are fixed.

        Where the config names no longest context, it is 32,768, or 16 times what calibration saw.
        """
        seen = max((site.keys for site in self.sites.values()), default=0)
        return max(seen, self.context or max(UNNAMED_CONTEXT, 16 * seen)) if seen else 0

    def save(self, path: Path) -> None:
        """Write to a safetensors file whose metadata is JSON."""
        arrays: dict[str, Array] = {}
        scalars: dict[str, Any] = {}
        for name, site in self.sites.items():
            for part in _ARRAYS:
                arrays[f"{name}|{part}"] = getattr(site, part)
            scalars[name] = {key: getattr(site, key) for key in _SCALARS}
        header = {
            "base": self.base,
            "model_type": self.model_type,
            "shared": self.shared,
            "tokens": self.tokens,
            "context": self.context,
            "sites": scalars,
        }
        array_file.write(path, FORMAT, header, arrays)

    @classmethod
    def load(cls, path: Path) -> Statistics:
        """Read a file written by `save`.

        Raises:
            CalibrationError: the file is missing, truncated, changed or of another kind.
        """
        try:
            header, arrays = array_file.read(path, FORMAT, FORMER)
        except array_file.DamagedFileError as error:
            raise CalibrationError(
                f"cannot read statistics from {path} ({error}): collect them again"
            ) from error
        sites = {}
        for name, scalars in header.pop("sites").items():
            parts: dict[str, Any] = {part: arrays[f"{name}|{part}"] for part in _ARRAYS}
            sites[name] = SiteStatistics(**scalars, **parts)
        return cls(sites=sites, **header)

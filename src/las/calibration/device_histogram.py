"""What `las.calibration.histogram` takes note of, in PyTorch operations on a tensor's own device.

Nothing waits for the device until the figures are read, and only they leave it. Values are counted
in integers, weighed ones too: a bin's weighted count is the counts of its rows or columns times
their weights. So the same data give the same figures, whatever the order in which a GPU adds up.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from las.calibration.bins import BINS, bins_of
from las.calibration.statistics import SiteStatistics

_PART = 2**22
"""Values that are worked on at a time: their places in the bins take some 100 MB."""

_INFINITE = 0x7F800000


class DeviceFigures:
    """The figures of one site, added up in float64 and in integers.

    Attributes:
        plain: values in each bin, int64 (BINS,); zeros are in none.
        heavy: the same, weighted, float64 (BINS,).
        moments: sum and sum of squares, float64 (2,).
        extremes: minus the smallest value, and the largest, float32 (2,).
        counts: finite values; -inf; NaN and +inf, int64 (3,). What is not finite is in no other.
        peaks: largest magnitude of each channel, float32 (channels,); None where nobody asks.
    """

    def __init__(self, device: torch.device) -> None:
        self.plain = torch.zeros(BINS, dtype=torch.int64, device=device)
        self.heavy = torch.zeros(BINS, dtype=torch.float64, device=device)
        self.moments = torch.zeros(2, dtype=torch.float64, device=device)
        self.extremes = torch.full((2,), -torch.inf, dtype=torch.float32, device=device)
        self.counts = torch.zeros(3, dtype=torch.int64, device=device)
        self.peaks: Tensor | None = None

    def add(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        columns: Tensor | None = None,
        scale_free: bool = False,
        with_peaks: bool = False,
    ) -> None:
        """Add values.

        Arguments:
            x: (n, c) float32.
            keep: rows that count, bool (n,); None for all.
            columns: weight of each column, (c,); None where all weigh 1.
            scale_free: whether each row weighs 1 / mean square of it; there, columns weigh 1.
            with_peaks: whether the largest magnitude of each column is wanted.
        """
        rows, width = x.shape
        if not x.numel():
            return
        counts = None
        if columns is not None:
            counts = x.new_zeros(width, BINS + 1, dtype=torch.int32)
        at_a_time = max(1, _PART // (max(width, BINS) if scale_free else width))
        for first in range(0, rows, at_a_time):
            part = slice(first, first + at_a_time)
            self._add(x[part], None if keep is None else keep[part], counts, scale_free, with_peaks)
        if columns is not None and counts is not None:
            self.plain += counts[:, :BINS].sum(0, dtype=torch.int64)
            self.heavy += columns.to(x.device).double() @ counts[:, :BINS].double()

    def _add(
        self,
        x: Tensor,
        keep: Tensor | None,
        of_columns: Tensor | None,
        scale_free: bool,
        with_peaks: bool,
    ) -> None:
        """Add some rows; `of_columns` counts each column's values in each bin, (c, BINS + 1)."""
        magnitudes = x.contiguous().view(torch.int32) & 0x7FFFFFFF
        finite = magnitudes < _INFINITE
        masked = x == -torch.inf
        broken = ~(finite | masked)
        if keep is not None:
            finite, masked, broken = (one & keep[:, None] for one in (finite, masked, broken))
        self.counts += torch.stack([one.sum() for one in (finite, masked, broken)])
        values = torch.where(finite, x, 0)
        ends = [torch.where(finite, one, -torch.inf).amax() for one in (-x, x)]
        self.extremes = torch.maximum(self.extremes, torch.stack(ends))
        if with_peaks:
            peaks = values.abs().amax(0)
            self.peaks = peaks if self.peaks is None else torch.maximum(self.peaks, peaks)
        wide = values.double()
        self.moments += torch.stack([wide.sum(), wide.square().sum()])
        bins = bins_of(x).to(torch.int64)
        bins = torch.where(finite & (magnitudes != 0), bins, BINS)  # a bin more, which nobody reads
        one = torch.ones((), dtype=torch.int32, device=x.device)
        if of_columns is not None:
            of_columns.scatter_add_(1, bins.T, one.expand(bins.T.shape))
            return
        if scale_free:
            of_rows = x.new_zeros(len(x), BINS + 1, dtype=torch.int32)
            of_rows.scatter_add_(1, bins, one.expand(bins.shape))
            weights = 1 / values.square().mean(-1).clamp_min(1e-30)
            self.plain += of_rows[:, :BINS].sum(0, dtype=torch.int64)
            self.heavy += weights.double() @ of_rows[:, :BINS].double()
            return
        found = torch.zeros(BINS + 1, dtype=torch.int32, device=x.device)
        found.scatter_add_(0, bins.flatten(), one.expand(bins.numel()))
        self.plain += found[:BINS]
        self.heavy += found[:BINS]

    def add_to(self, entry: SiteStatistics) -> None:
        """Read the figures, and add them to those of a site."""
        count = int(self.counts[0])
        if not count:
            return
        lowest, high = self.extremes.tolist()
        total, squares = self.moments.tolist()
        entry.count += count
        entry.low, entry.high = min(entry.low, -lowest), max(entry.high, high)
        entry.total += total
        entry.squares += squares
        entry.histogram += self.plain.cpu().numpy()
        entry.importance += self.heavy.cpu().numpy()
        if self.peaks is not None:
            peaks = self.peaks.double().cpu().numpy()
            known = entry.channel_peak
            entry.channel_peak = np.maximum(known, peaks) if known.size else peaks

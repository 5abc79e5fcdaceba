"""Which keys a query sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Visibility:
    """A mask as the kernels read it.

    Attributes:
        allowed: uint8 (1 or B, 1 or H, queries, keys).
        ends: one more than the last key that a query sees, int64 (1 or B, 1 or H, queries).
        counted: whether a query counts, uint8 (1 or B, 1 or H, queries): it sees a key, and is no
            padding.
    """

    allowed: Any
    ends: Any
    counted: Any

    @classmethod
    def of(
        cls, allowed: Tensor | None, queries: int, keys: int, padded: Tensor | None = None
    ) -> Visibility:
        """From a boolean mask, or from None where every query sees every key.

        Arguments:
            allowed: (1 or B, 1 or H, 1 or queries, keys).
            queries: L.
            keys: S.
            padded: which queries are padding, (B, 1, L, 1); None for none.
        """
        from las.neurons.kernels import last_seen

        if allowed is None:
            seen = np.ones((1, 1, queries, keys), dtype=np.uint8)
            ends = np.full(seen.shape[:-1], keys, dtype=np.int64)
        else:
            seen = allowed.expand(-1, -1, queries, -1).contiguous().view(torch.uint8).numpy()
            ends = np.empty(seen.shape[:-1], dtype=np.int64)
            last_seen(seen, ends)
        counted = ends > 0
        if padded is not None:
            counted = counted & ~padded[..., 0].numpy()
        return cls(seen, ends, np.ascontiguousarray(counted).view(np.uint8))

    def of_batch(self, lo: int, hi: int) -> Visibility:
        """The part that holds for members lo to hi of the batch."""
        parts = (self.allowed, self.ends, self.counted)
        return Visibility(*(part if len(part) == 1 else part[lo:hi] for part in parts))

    def silent(self, queries: slice, keys: int) -> Tensor:
        """Which of the first keys some queries do not see, or do not count for being padding.

        Returns:
            bool (1 or B, 1 or H, queries, keys).
        """
        seen = torch.from_numpy(self.allowed[..., queries, :keys])
        return (seen & torch.from_numpy(self.counted[..., queries])[..., None]) == 0

    def asked(self, batch: int, heads: int, queries: slice) -> int:
        """How many of some queries count, over a batch and its heads."""
        counted = self.counted[..., queries]
        return (
            int(counted.sum(dtype=np.int64))
            * batch
            * heads
            // (counted.shape[0] * counted.shape[1])
        )

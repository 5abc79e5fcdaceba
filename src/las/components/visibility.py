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
    """

    allowed: Any
    ends: Any

    @classmethod
    def of(cls, allowed: Tensor | None, queries: int, keys: int) -> Visibility:
        """From a boolean mask, or from None where every query sees every key.

        Arguments:
            allowed: (1 or B, 1 or H, 1 or queries, keys).
            queries: L.
            keys: S.
        """
        from las.neurons.kernels import last_seen

        if allowed is None:
            allowed = torch.ones(1, 1, queries, keys, dtype=torch.bool, device="cpu")
        seen = allowed.expand(-1, -1, queries, -1).contiguous().view(torch.uint8).numpy()
        ends = np.empty(seen.shape[:-1], dtype=np.int64)
        last_seen(seen, ends)
        return cls(seen, ends)

    def of_batch(self, lo: int, hi: int) -> Visibility:
        """The part that holds for members lo to hi of the batch."""
        if len(self.allowed) == 1:
            return self
        return Visibility(self.allowed[lo:hi], self.ends[lo:hi])

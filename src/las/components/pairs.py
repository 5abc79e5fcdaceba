"""How many keys the queries of an attention see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from las.neurons.encoding import total


@dataclass(frozen=True)
class Pairs:
    """Pairs of a query and a key that it sees, but for those of queries that are padding.

    Attributes:
        of_query: how many keys a query sees, int64 (B, 1 or H, L).
        of_key: how many queries see a key, int64 (B, 1 or H, S).
        heads: H.
    """

    of_query: Tensor
    of_key: Tensor
    heads: int

    @classmethod
    def of(
        cls,
        allowed: Tensor | None,
        padded: Tensor | None,
        shape: Sequence[int],
        device: torch.device,
    ) -> Pairs:
        """Count them.

        Arguments:
            allowed: which keys a query sees, bool (1 or B, 1 or H, 1 or L, S); None for all.
            padded: which queries are padding, bool (B, 1, L, 1); None for none.
            shape: of the scores, (B, H, L, S).
            device: theirs.
        """
        batch, heads, queries, keys = shape
        if allowed is not None and allowed.device.type == "cpu":
            return cls(*_counted(allowed, padded, (batch, queries, keys)), heads)
        seen = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=device)
        if allowed is not None:
            seen = allowed
        if padded is not None:
            seen = seen & ~padded
        seen = seen.expand(batch, seen.shape[1], queries, keys)
        return cls(seen.sum(-1), seen.sum(-2), heads)

    @property
    def number(self) -> int:
        """How many there are, over all heads."""
        return total(self.of_query) * self.heads // self.of_query.shape[1]

    @property
    def queries(self) -> int:
        """Queries that see a key, over all heads."""
        return total(self.of_query > 0) * self.heads // self.of_query.shape[1]

    def keys(self, key_heads: int) -> int:
        """Keys that a query sees, over their own heads, of which H is a multiple."""
        shared = self.of_key > 0
        if shared.shape[1] > 1:
            shared = shared.unflatten(1, (key_heads, -1)).any(2)
        return total(shared) * key_heads // shared.shape[1]


def _counted(
    allowed: Tensor, padded: Tensor | None, shape: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    """`of_query` and `of_key` on a CPU; shape is (B, L, S)."""
    from las.neurons.kernels import count_pairs

    batch, queries, keys = shape
    members, heads = allowed.shape[:2]
    if padded is not None:
        members = batch
    of_query = torch.empty((members, heads, queries), dtype=torch.int64, device="cpu")
    of_key = torch.empty((members, heads, keys), dtype=torch.int64, device="cpu")
    silent = torch.zeros((), dtype=torch.bool, device="cpu") if padded is None else padded
    count_pairs(
        allowed.expand(-1, -1, queries, -1).view(torch.uint8).numpy(),
        silent.expand(members, 1, queries, 1)[:, 0, :, 0].view(torch.uint8).numpy(),
        of_query.numpy(),
        of_key.numpy(),
    )
    return of_query.expand(batch, -1, -1), of_key.expand(batch, -1, -1)

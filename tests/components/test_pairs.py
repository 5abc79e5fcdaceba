"""Pairs of a query and a key, against a loop over all of them."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from las.components.pairs import Pairs

B, H, L, S = 2, 4, 3, 5


def by_hand(allowed: Tensor | None, padded: Tensor | None) -> Tensor:
    """Which pairs count, bool (B, H, L, S)."""
    counts = torch.zeros(B, H, L, S, dtype=torch.bool)
    for b, h, q, k in product(range(B), range(H), range(L), range(S)):
        sees = allowed is None or bool(allowed.expand(B, H, L, S)[b, h, q, k])
        counts[b, h, q, k] = sees and not (padded is not None and bool(padded[b, 0, q, 0]))
    return counts


@pytest.mark.parametrize("device", ["cpu", "other"])
@pytest.mark.parametrize("shape", [(1, 1, 1, S), (1, 1, L, S), (B, 1, L, S), (B, H, L, S), None])
@pytest.mark.parametrize("pads", [True, False])
@settings(deadline=None)
@given(seed=st.integers(0, 2**16))
def test_they_are_those_of_a_loop(
    shape: tuple[int, ...] | None, pads: bool, device: str, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*size: int) -> Tensor:
        return torch.rand(size, generator=generator) < 0.5

    allowed = None if shape is None else drawn(*shape)
    padded = drawn(B, 1, L, 1) if pads else None
    expected = by_hand(allowed, padded)
    if device == "other" and allowed is not None:
        allowed = _Elsewhere(allowed)
    pairs = Pairs.of(allowed, padded, (B, H, L, S), torch.device("cpu"))
    assert pairs.number == int(expected.sum())
    assert pairs.queries == int(expected.any(-1).sum())
    of_query, of_key = expected.sum(-1), expected.sum(-2)
    assert torch.equal(pairs.of_query.expand(B, H, L), of_query)
    assert torch.equal(pairs.of_key.expand(B, H, S), of_key)
    for key_heads in (1, 2, 4):
        asked = expected.any(-2).unflatten(1, (key_heads, -1)).any(2)
        assert pairs.keys(key_heads) == int(asked.sum())


class _Elsewhere(Tensor):
    """A tensor that says that it lies on another device, where no kernel of the CPU may read it."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")

    @staticmethod
    def __new__(cls, x: Tensor) -> _Elsewhere:
        return x.as_subclass(cls)

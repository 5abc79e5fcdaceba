from __future__ import annotations

import torch

from las.planning.peak import PeakMemory

KB = 1000


def floats(count: int) -> torch.Tensor:
    return torch.zeros(count, device="meta")


def test_what_is_alive_at_once_counts() -> None:
    x = floats(KB)
    with PeakMemory() as memory:
        y = x + 1  # 4 kB
        z = y * 2  # 8 kB together
        del y
        z = z + 1  # 8 again, then 4
    assert memory.peak == 8 * KB


def test_views_and_changes_in_place_take_nothing() -> None:
    with PeakMemory() as memory:
        x = floats(KB)
        x.view(10, -1).mul_(2)[0].add_(1)
    assert memory.peak == 4 * KB


def test_what_was_there_before_is_left_out() -> None:
    weight = floats(10 * KB)
    with PeakMemory() as memory:
        weight.view(10, KB)
        weight.mul_(2)
    assert memory.peak == 0

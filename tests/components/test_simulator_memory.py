"""What the step simulator makes does not grow with T, nor with the square of the length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import las
from las.components import attention
from las.components.attention import SpikingAttention
from las.neurons import HG, OAT, Octaves, hg, oat

HEADS, WIDTH, BLOCK = 2, 4, 2**14


class Largest(TorchDispatchMode):
    """Takes note of the largest tensor that is made inside the block, in bytes."""

    bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in tree_leaves(result):
            if isinstance(made, Tensor):
                self.bytes = max(self.bytes, made.untyped_storage().nbytes())
        return result


def largest(run: Callable[[], object]) -> int:
    with torch.no_grad(), Largest() as seen:
        run()
    return seen.bytes


@pytest.mark.parametrize("masked", [False, True])
def test_attention_holds_a_block_of_scores_at_a_time(spiking, monkeypatch, masked: bool) -> None:
    """All scores of the longer text are 32 blocks, and four times those of the shorter one."""
    monkeypatch.setattr(attention, "BLOCK", BLOCK)
    attend = spiking(SpikingAttention())

    def of(length: int) -> int:
        x = torch.randn(1, HEADS, length, WIDTH, dtype=torch.float64)
        mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril() if masked else None
        with las.simulate(attend):
            return largest(lambda: attend(x, x, x, mask, 0.5))

    short, long = of(256), of(512)
    assert long <= 2 * short
    assert long <= 8 * HEADS * 512**2 / 4


STEPS = pytest.mark.parametrize("steps", [1, 8, 32])


@STEPS
def test_an_oat_spike_train_makes_no_tensor_larger_than_its_input(steps: int) -> None:
    x = torch.randn(2**16, dtype=torch.float64)
    neuron = OAT((1.0, 4.0, 16.0), (1.0, 4.0), steps, 5)
    assert largest(lambda: list(oat.spike_train(x, neuron))) == 8 * 2**16


@STEPS
def test_an_hg_spike_train_makes_no_tensor_larger_than_its_input(steps: int) -> None:
    x = torch.rand(2**16, dtype=torch.float64)
    neuron = HG("silu", steps, None, Octaves(-1, (0, 1)), np.ones(4), np.ones(4), 0.0, 2.0)
    assert largest(lambda: list(hg.spike_train(x, neuron))) == 8 * 2**16

"""What the step simulator holds at a time does not grow with T, nor with the square of length."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import las
from las.components import attention

LENGTH = 96
BLOCK = 2**12


class Largest(TorchDispatchMode):
    """Takes note of the largest memory that any tensor made inside the block needs, in bytes."""

    bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return result


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(attention, "BLOCK", BLOCK)


def largest(model: torch.nn.Module, length: int) -> int:
    ids = torch.randint(3, 64, (1, length), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), las.simulate(model), Largest() as seen:
        model(input_ids=ids, use_cache=False)
    return seen.bytes


def test_no_tensor_is_larger_than_a_block_of_scores(llama, make_batches) -> None:
    """As float32; an index is twice as large. All scores at once would be nine blocks."""
    heads = llama.config.num_attention_heads
    model = las.convert(llama, make_batches())
    assert heads * LENGTH**2 == 9 * BLOCK
    assert largest(model, LENGTH) <= 8 * BLOCK


def test_no_tensor_grows_with_the_number_of_time_steps(llama, make_batches) -> None:
    import copy

    few, many = (
        largest(
            las.convert(copy.deepcopy(llama), make_batches(), las.SpikeConfig(time_steps=t)), 32
        )
        for t in (4, 24)
    )
    assert many == few

"""What would hold a GPU up: to read a number of a tensor, or a shape that its numbers make."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import las

_LAS = str(Path(las.__file__).parent)
_TORCH = str(Path(torch.__file__).parent)
_ATEN = torch.ops.aten
_WAITING = {
    _ATEN._local_scalar_dense,  # item, bool, int, float
    _ATEN._unique2,
    _ATEN.bincount,
    _ATEN.equal,
    _ATEN.masked_select,
    _ATEN.nonzero,
    _ATEN.unique_consecutive,
    _ATEN.unique_dim,
}
_INDEXING = {_ATEN.index, _ATEN.index_put, _ATEN.index_put_}
_COPYING = {Tensor.tolist, Tensor.cpu}


class _Operations(TorchDispatchMode):
    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        packet = func.overloadpacket
        waits = packet in _WAITING or func is _ATEN.repeat_interleave.Tensor
        if packet in _INDEXING:
            waits = any(index is not None and index.dtype == torch.bool for index in args[1])
        if waits:
            _note(self.found)
        return func(*args, **(kwargs or {}))


class _Functions(TorchFunctionMode):
    def __init__(self, found: Counter[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in _COPYING:
            _note(self.found)
        return func(*args, **(kwargs or {}))


def _note(found: Counter[str]) -> None:
    """Who asks, but for what the models do without las, too."""
    frames = [
        frame
        for frame in traceback.extract_stack()
        if not frame.filename.startswith(_TORCH) and frame.filename != __file__
    ]
    if frames[-1].filename.startswith(_LAS):
        found[frames[-1].name] += 1


@contextmanager
def waits() -> Iterator[Counter[Any]]:
    """How often each function of las waits inside the block, on whatever device."""
    found: Counter[str] = Counter()
    with _Operations(found), _Functions(found):
        yield found

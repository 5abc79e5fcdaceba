"""Compiling loops for the CPU: once for one thread, once for as many as torch uses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numba
import torch
from numba import njit
from numba.core import event
from tqdm.auto import tqdm

SMALL = 2**14
"""Below as many elements, threads do not pay."""


@dataclass(frozen=True)
class Kernel:
    """A function compiled twice, when first called; later processes find the code in a cache."""

    serial: Callable[..., Any]
    parallel: Callable[..., Any]

    def choose(self, size: int) -> Callable[..., Any]:
        """The build for a tensor of `size` elements."""
        threads = torch.get_num_threads()
        if size < SMALL or threads == 1:
            return self.serial
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        return self.parallel

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Kernel:
        """Compile a function whose outermost loop is a `numba.prange`."""
        twin = FunctionType(function.__code__, function.__globals__, function.__name__)
        twin.__module__ = function.__module__
        twin.__qualname__ = f"{function.__qualname__}_parallel"  # the cache knows it by this name
        return cls(
            njit(cache=True, error_model="numpy")(function),
            njit(cache=True, parallel=True, error_model="numpy")(twin),
        )


class Notice(event.Listener):
    """Says once in a process that kernels are being compiled, which takes a while."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: event.Event) -> None:
        """Called when numba found no code in its cache."""
        module = event.data["dispatcher"].py_func.__module__
        if not self._said and module.startswith("las."):
            self._said = True
            tqdm.write("las: compiling its kernels, once on a machine (half a minute)", sys.stderr)

    def on_end(self, event: event.Event) -> None:
        """Called when the code is there."""


event.register("numba:compile", Notice())

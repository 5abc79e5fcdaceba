"""Compiling loops for the CPU, and running them in as many threads as torch uses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numba import float32, float64, int32, int64
from numba.core import event
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from tqdm.auto import tqdm

from las.neurons.code_cache import CodeCache, compiled
from las.neurons.helpers import run_together

SHARE = 2**14
"""Elements for which another thread pays."""


@intrinsic
def take(context, counter):  # type: ignore[no-untyped-def]
    """The next number of a counter, int64 (1,), that no other thread has got or will get."""

    def generate(target, builder, signature, args):  # type: ignore[no-untyped-def]
        place = make_array(signature.args[0])(target, builder, args[0]).data
        return builder.atomic_rmw("add", place, target.get_constant(int64, 1), "monotonic")

    return int64(counter), generate


@intrinsic
def bits_of(context, x):  # type: ignore[no-untyped-def]
    """The bits of a floating-point number as an integer of its width."""
    integer = int32 if x.bitwidth == 32 else int64

    def generate(target, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], target.get_value_type(integer))

    return integer(x), generate


@intrinsic
def number_of(context, bits):  # type: ignore[no-untyped-def]
    """The floating-point number that some bits, an integer of its width, are."""
    number = float32 if bits.bitwidth == 32 else float64

    def generate(target, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], target.get_value_type(number))

    return number(bits), generate


@intrinsic
def mantissa_of(context, x):  # type: ignore[no-untyped-def]
    """Bits of the mantissas of an array's numbers: a constant, with which shifts vectorize."""
    mantissa = 23 if x.dtype.bitwidth == 32 else 52

    def generate(target, builder, signature, args):  # type: ignore[no-untyped-def]
        return target.get_constant(int64, mantissa)

    return int64(x), generate


@dataclass(frozen=True)
class Kernel:
    """A function compiled when first called; later processes find the code in a cache.

    Its work is divided in shares. It gets a counter before its own arguments and takes shares from
    it, by `take`, until none is left, so that any number of threads may be at it together: which
    of them does a share makes no difference to what comes out.
    """

    compiled: Callable[..., Any]

    def choose(self, size: int) -> Callable[..., None]:
        """How to call it for a tensor of `size` elements: in this thread, or in more of them."""
        threads = min(torch.get_num_threads(), size // SHARE)
        return partial(self._run, threads)

    def _run(self, threads: int, *args: Any) -> None:
        counter = np.zeros(1, np.int64)
        if threads > 1:
            run_together(self.compiled, threads, counter, *args)
        else:
            self.compiled(counter, *args)

    @classmethod
    def of(cls, function: Callable[..., None]) -> Kernel:
        """Compile a function, which is not to need the interpreter."""
        return cls(compiled(nogil=True)(function))


class Notice(event.Listener):
    """Says once in a process that kernels are being compiled, which takes a while."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: event.Event) -> None:
        """Called when numba found no code in its cache."""
        dispatcher = event.data["dispatcher"]
        if not self._said and dispatcher.py_func.__module__.startswith("las."):
            self._said = True
            kept = ", once on a machine" if isinstance(dispatcher._cache, CodeCache) else ""
            tqdm.write(f"las: compiling its kernels{kept} (half a minute)", sys.stderr)

    def on_end(self, event: event.Event) -> None:
        """Called when the code is there."""


event.register("numba:compile", Notice())

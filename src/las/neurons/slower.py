"""Work that takes longer than it has to, because no kernel does it: said once, never silent."""

from __future__ import annotations

import warnings

import torch

_said: set[str] = set()
"""Of what kind of work it has been said in this process."""


@torch.compiler.assume_constant_result
def say_slower(kind: str, what: str) -> None:
    """Warn, once in a process for each kind of work.

    A compiler calls it while it reads the code that does, and leaves it out of its graph.

    Arguments:
        kind: of work.
        what: works how, why, and what to do.
    """
    if kind not in _said:
        warnings.warn(what, stacklevel=3)
        _said.add(kind)

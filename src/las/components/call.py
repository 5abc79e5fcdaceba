"""Calls of modules that hooks stand around, and whether they still run.

PyTorch calls the later hook of a module even if its forward raised, but not after an interrupt of
the keyboard: what the earlier hook began would go on for ever.
"""

from __future__ import annotations

import sys
from types import FrameType

import torch


class Call:
    """One call of a module, made in a forward pre-hook of it."""

    def __init__(self) -> None:
        self._traced = torch.compiler.is_compiling()  # a compiled call has no frames of Python
        self._frame: FrameType | None = None if self._traced else sys._getframe(2)

    def runs(self) -> bool:
        """Whether the caller runs within this call, in the same thread."""
        if self._traced or torch.compiler.is_compiling():
            return True
        frame: FrameType | None = None if self._frame is None else sys._getframe(1)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        if frame is None:
            self._frame = None  # it never will again
        return frame is not None

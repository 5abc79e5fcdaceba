"""What a module's methods refer to, read off their compiled code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType

from torch import nn


def methods_of(module: nn.Module) -> Iterator[FunctionType]:
    """The methods of a module's class and its bases, without what every module has."""
    for kind in type(module).__mro__:
        if kind is nn.Module:
            return
        for method in vars(kind).values():
            function = inspect.unwrap(method) if callable(method) else method
            if isinstance(function, FunctionType):
                yield function

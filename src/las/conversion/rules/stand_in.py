"""A module with weights that are made up, to see what its forward computes.

Structural rules ask what a module does, whatever its weights are and wherever they are kept: on a
GPU, on disk, or on the meta device, where a model is only planned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def stand_in(module: nn.Module, **shapes: tuple[int, ...]) -> Any:
    """A copy of a module whose own parameters are random float32 numbers near 1.

    What it does to itself when it is called, the module does not see.

    Arguments:
        module: it is left as it is, and shares its children with the copy.
        shapes: of parameters that are to be smaller than they are.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    one: Any = copy.copy(module)
    one._parameters = {
        name: weight
        if weight is None
        else nn.Parameter(_near_one(shapes.get(name, weight.shape), generator), False)
        for name, weight in module._parameters.items()
    }
    one._buffers = dict(module._buffers)
    for attribute in ("_forward_hooks", "_forward_pre_hooks"):
        setattr(one, attribute, type(getattr(module, attribute))())
    one.__dict__.pop("forward", None)  # accelerate wraps it for the module that was copied
    one.training = False
    return one


def answer(module: Callable[[Tensor], Any], x: Tensor) -> Tensor | None:
    """What a module or a function makes of a tensor; None if it takes or returns something else.

    Whatever it raises says that it is not of the kind that was asked for.
    """
    try:
        with torch.no_grad():
            y = module(x.clone())
    except Exception:
        return None
    return y if isinstance(y, Tensor) and y.device == x.device else None


def same(given: Tensor | None, expected: Tensor, tolerance: float) -> bool:
    """Whether a module answered what a function would, element by element.

    Arguments:
        given: what it answered.
        expected: numbers of about 1.
        tolerance: relative and absolute.
    """
    if given is None or given.shape != expected.shape:
        return False
    return torch.allclose(given.float(), expected.float(), rtol=tolerance, atol=tolerance)


def _near_one(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return 1 + 0.3 * torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")

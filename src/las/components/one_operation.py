"""A fused computation as one operation: to autograd, and to compilers and tracers.

Kernels work on the memory of tensors, which neither of them can look into. To autograd, a fused
computation has the gradient of what its component computes with exact neurons, at the very values
that the spikes of the component come to: spikes themselves have none (straight-through). To
`torch.compile` it is an operator of PyTorch whose inside is not its business; where gradients are
on, a component is left out of the compiled graph as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from las.errors import LasError, UnsupportedModelError

Inputs = Sequence[Tensor | None]

_components: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""By `id`: what an operator is given must be tensors and numbers."""


def known_to_compilers(component: Any) -> None:
    """Let the operators find a component."""
    _components[id(component)] = component


def in_one(
    component: Any, *tensors: Tensor | None, numbers: Sequence[float] = ()
) -> tuple[Tensor, Any]:
    """What the fused path of a component makes of some tensors.

    Arguments:
        component: has `fused`, which returns the value and whatever else is to be told; `exact`,
            the same value with exact neurons, which can be differentiated; and `like`, an empty
            tensor like the value. All of them take these tensors and numbers.
        tensors: the inputs.
        numbers: what goes with them.

    Returns:
        The value, and what else `fused` tells; None where a compiler is looking.

    Raises:
        UnsupportedModelError: an exporter is looking.
    """
    if torch.compiler.is_compiling():
        if torch.compiler.is_exporting():
            raise UnsupportedModelError(
                "a spiking model cannot be exported: its neurons run in code of las, which an "
                "exported program would not bring along. Export the original, or use torch.compile"
            )
        return fused(id(component), list(tensors), list(numbers)), None
    first = tensors[0]
    assert first is not None
    if torch.is_autocast_enabled(first.device.type):  # kernels do not take other numbers than these
        with torch.autocast(first.device.type, enabled=False):
            return in_one(component, *tensors, numbers=numbers)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
        value, told = _StraightThrough.apply(component, numbers, *tensors)
    else:
        value, told = component.fused(*tensors, *numbers)
    return value, told


class _StraightThrough(torch.autograd.Function):
    """The fused path forwards, the gradient of the exact function backwards."""

    @staticmethod
    def forward(ctx: Any, component: Any, numbers: Sequence[float], *tensors: Tensor | None) -> Any:
        ctx.component, ctx.numbers = component, numbers
        ctx.save_for_backward(*tensors)
        return component.fused(*tensors, *numbers)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, told: Any) -> Any:
        needed = ctx.needs_input_grad[2:]
        return None, None, *_pull(ctx.component, ctx.saved_tensors, ctx.numbers, needed, gradient)


def _pull(
    component: Any,
    tensors: Inputs,
    numbers: Sequence[float],
    needed: Sequence[bool],
    gradient: Tensor,
) -> list[Tensor | None]:
    """The gradient of `exact` with respect to the tensors for which it is needed."""
    with torch.enable_grad():
        inputs = [
            x if x is None else x.detach().requires_grad_(wanted)
            for x, wanted in zip(tensors, needed, strict=True)
        ]
        wanted = [x for x in inputs if x is not None and x.requires_grad]
        value = component.exact(*inputs, *numbers)
        found = iter(torch.autograd.grad(value, wanted, gradient.to(value.dtype)))
    return [None if x is None or not x.requires_grad else next(found) for x in inputs]


@torch.library.custom_op("las::fused", mutates_args=())
def fused(component: int, tensors: Sequence[Tensor | None], numbers: Sequence[float]) -> Tensor:
    """The fused path of a component, as an operator."""
    value: Tensor = _components[component].fused(*tensors, *numbers)[0]
    return value


@fused.register_fake
def _of_fused(component: int, tensors: Inputs, numbers: Sequence[float]) -> Tensor:
    like: Tensor = _components[component].like(*tensors, *numbers)
    return like


class _NoGradient(torch.autograd.Function):
    """Passes spikes on, and says so where somebody asks for their gradient."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, x: Tensor) -> Tensor:
        return spikes.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        raise LasError(
            "the step simulator has no gradient: leave las.simulate, and the same spikes have a "
            "straight-through one"
        )


def without_gradient(spikes: Tensor, x: Tensor) -> Tensor:
    """Spikes of the step simulator: their gradient with respect to x is an error, not nothing."""
    if torch.is_grad_enabled() and x.requires_grad:
        unconnected: Tensor = _NoGradient.apply(spikes.detach(), x)
        return unconnected
    return spikes


@torch.compiler.disable
def outside_graphs(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call something that compilers are not to look into."""
    return function(*args, **kwargs)

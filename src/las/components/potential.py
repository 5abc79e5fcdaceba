"""Functions that a model's own forward applies to what a layer returns: torch.tanh(dense(x)).

There is no module to replace. So the layer returns its membrane potentials, and where PyTorch is
asked for the function of them, neurons answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from las.components.activation import SpikingActivation, SpikingReLU
from las.components.convolution import SpikingConvolution
from las.components.linear import SpikingLinear

Neurons = SpikingActivation | SpikingReLU

ASKED: dict[str, set[Callable[..., Tensor]]] = {
    "gelu": {F.gelu},
    "relu": {F.relu, torch.relu, Tensor.relu},
    "sigmoid": {F.sigmoid, torch.sigmoid, Tensor.sigmoid},
    "silu": {F.silu},
    "tanh": {F.tanh, torch.tanh, Tensor.tanh},
}
"""The ways to ask PyTorch for a function."""

_WEIGHED = {torch.div, torch.mul, Tensor.div, Tensor.mul, Tensor.__truediv__, Tensor.__mul__}
"""Operations after which potentials are potentials still."""


class Potential(Tensor):
    """Membrane potentials of neurons that have not fired yet.

    Attributes:
        neurons: what fires once their function is asked for.
    """

    neurons: Neurons

    @classmethod
    def of(cls, x: Tensor, neurons: Neurons) -> Potential:
        """The potentials x, any shape, of some neurons."""
        potential = x.as_subclass(cls)
        potential.neurons = neurons
        return potential

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let the neurons answer for their function; everything else is PyTorch's business."""
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            first = args[0] if args else None
            if not isinstance(first, cls):
                return func(*args, **kwargs)
            name = getattr(getattr(first.neurons, "site", None), "function", "relu")
            plain = not any(kwargs.values())  # not in place, and no other variant
            if func in ASKED[name] and plain:
                return first.neurons(first.as_subclass(Tensor))
            result = func(*args, **kwargs)
            return cls.of(result, first.neurons) if func in _WEIGHED else result


class SpikingConvolutionInto(SpikingConvolution):
    """A convolution (Eq. 10) whose outputs drive neurons that the model's forward asks for.

    Attributes:
        activation: these neurons.
    """

    def __init__(self, convolution: SpikingConvolution, activation: Neurons) -> None:
        super().__init__(
            convolution.weight,
            convolution.bias,
            convolution.stride,
            convolution.padding,
            convolution.dilation,
            convolution.groups,
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Potential:
        """x: (B, in, *space) -> (B, out, *space)."""
        return Potential.of(super().forward(x), self.activation)


class SpikingLinearInto(SpikingLinear):
    """A linear layer (Eq. 10) whose outputs drive neurons that the model's forward asks for.

    Attributes:
        activation: these neurons.
    """

    def __init__(self, linear: SpikingLinear, activation: Neurons) -> None:
        super().__init__(linear.weight, linear.bias, linear.transposed)
        self.activation = activation

    def forward(self, x: Tensor) -> Potential:
        """x: (..., in_features) -> (..., out_features)."""
        return Potential.of(super().forward(x), self.activation)

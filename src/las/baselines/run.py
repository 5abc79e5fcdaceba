"""Running a network over time: all of it, T times for each input."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from las.baselines.methods import Method
from las.errors import UnsupportedModelError

if TYPE_CHECKING:
    from las.baselines.part import Part


class RunOverTime:
    """The forward pass of a model whose inputs of some layers spike.

    What stays float is carried in a form in which any operation is right as it is. With
    expectation compensation each tensor of pass t is the mean over time steps 1 to t: the mean of
    t f(mean_t) - (t - 1) f(mean_(t-1)) over them is f(mean_t), whatever f is. By differences it is
    the sum, and f(X_t) is what f has emitted in all. The last pass then is the read-out.

    Arguments:
        forward: of the model.
        parts: what takes part: neurons, and what counts.
        method: how it runs.
    """

    def __init__(self, forward: Callable[..., Any], parts: list[Part], method: Method) -> None:
        self.__wrapped__ = forward  # inspect.signature finds it
        self._parts = parts
        self._method = method

    @torch.no_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the model returns after T time steps."""
        if kwargs.get("past_key_values") is not None or kwargs.get("use_cache"):
            raise UnsupportedModelError(
                "a baseline runs the whole text at each time step and keeps no cache: call it with "
                "use_cache=False, and generate with use_cache=False"
            )
        method = self._method
        once = functools.partial(self.__wrapped__, *args, **kwargs)
        steps = 1 if method.time == "layerwise" else method.time_steps
        outputs: Any = None
        try:
            for t in range(1, method.neuron.warm_up + 1):
                self._tell(t, t == 1)
                once()
            for part in self._parts:
                part.restart()
            for t in range(1, steps + 1):
                self._tell(t, t == 1 and not method.neuron.warm_up)
                output = once()
                averaged = method.time == "instantaneous" and outputs is not None
                outputs = _plus(outputs, output, 1 / t) if averaged else output
            for part in self._parts:
                part.count()
        finally:
            for part in self._parts:
                part.forget()
        return outputs

    def _tell(self, t: int, first: bool) -> None:
        for part in self._parts:
            part.begin_step(t, first)


def _plus(mean: Any, new: Any, weight: float) -> Any:
    """The running mean of all floating tensors in the outputs of a model."""
    if isinstance(new, Tensor):
        return mean + (new - mean) * weight if new.is_floating_point() else new
    if isinstance(new, Mapping):
        return type(new)(**{name: _plus(mean[name], value, weight) for name, value in new.items()})
    if isinstance(new, (tuple, list)):
        return type(new)(_plus(a, b, weight) for a, b in zip(mean, new, strict=True))
    return new

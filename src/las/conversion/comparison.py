"""Spiking components beside the modules that they replace, on what flows through the model."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from las.components import attention, operations

_LARGEST = 16
"""One in this many channels is left out of the second measure of an error."""


@dataclass(frozen=True)
class Deviation:
    """How far a component is from the module that it replaces, on the same inputs.

    Attributes:
        path: module path.
        module_class: class of the original.
        error: relative to the size of the original's output.
    """

    path: str
    module_class: str
    error: float


class Originals:
    """The modules of a model as they were before spiking components took their places.

    Only the links between modules are kept: parameters belong to both.
    """

    def __init__(self, model: nn.Module) -> None:
        self._modules = dict(model.named_modules())
        self._children = {one: dict(one._modules) for one in self._modules.values()}
        self._hooks = {one: dict(one._forward_pre_hooks) for one in self._modules.values()}
        self._later_hooks = {one: dict(one._forward_hooks) for one in self._modules.values()}
        self._attention = {
            one: getattr(getattr(one, "config", None), "_attn_implementation", None)
            for one in self._modules.values()
        }

    def beside(self, model: nn.Module) -> dict[str, tuple[nn.Module, nn.Module]]:
        """Each component of the prepared model and its original, by path; outermost ones only.

        Attention modules that stay and hand their tensors to a spiking attention are components.
        """
        pairs: dict[str, tuple[nn.Module, nn.Module]] = {}
        done: tuple[str, ...] = ()
        for path, module in model.named_modules():
            original = self._modules.get(path)
            if original is None or not path or path.startswith(done):
                continue
            if module is not original:
                if not (_placed(module) and self._children[original]):
                    pairs[path] = module, original
                done = (*done, f"{path}.")
            elif _attends(module) and not _placed(module):
                pairs[path] = module, self._dense(module)
        return pairs

    def _dense(self, module: nn.Module) -> nn.Module:
        """A module that stayed, with the children and hooks that it had."""
        one: Any = copy.copy(module)
        one._modules = {
            name: child and self._dense(child) for name, child in self._children[module].items()
        }
        one._forward_pre_hooks = OrderedDict(self._hooks[module])
        one._forward_hooks = OrderedDict(self._later_hooks[module])
        if hasattr(one, "config") and hasattr(module, attention.CHILD):
            one.config = copy.copy(one.config)
            one.config._attn_implementation_internal = self._implementation(module)
        return one

    def _implementation(self, module: nn.Module) -> str:
        return "eager" if self._attention[module] == "eager" else "sdpa"


@contextmanager
def compared(pairs: Mapping[str, tuple[nn.Module, nn.Module]]) -> Iterator[list[Deviation]]:
    """Run each original on what its component reads inside the block, and compare what they make.

    Arguments:
        pairs: component and original by path.

    Yields:
        A list that is filled as the model runs.
    """
    deviations: list[Deviation] = []

    def beside(path: str, original: nn.Module) -> Any:
        def compare(component: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            with torch._C.DisableTorchFunction():  # an attention module around it may answer
                expected = original(*map(_without_cache, args), **_understood(original, kwargs))
            error = output_error(output, expected)
            deviations.append(Deviation(path, type(original).__name__, error))

        return compare

    with ExitStack() as hooks, torch.no_grad():
        for path, (component, original) in pairs.items():
            handle = component.register_forward_hook(beside(path, original), with_kwargs=True)
            hooks.callback(handle.remove)
        yield deviations


def output_error(given: Any, expected: Any) -> float:
    """The largest `relative_error` of the tensors of floating point that two outputs hold."""
    pairs = zip(_numbers(given), _numbers(expected), strict=False)
    return max((relative_error(a, b) for a, b in pairs), default=0.0)


def relative_error(given: Tensor, expected: Tensor) -> float:
    """|given - expected| / |expected|, of all channels or without the largest ones.

    A massive activation would hide what goes wrong beside it; therefore the larger one of the two
    counts: the error over all channels, and that over those which are not among the largest.

    Arguments:
        given: (..., channels).
        expected: the same shape; entries that are not finite, such as masked scores, are left out.

    Returns:
        The error; infinite where the shapes differ, or where only one of the two is finite.
    """
    if given.shape != expected.shape:
        return float("inf")
    a, b = (x.detach().to("cpu", torch.float64).reshape(-1, x.shape[-1] if x.dim() else 1)
            for x in (given, expected))  # fmt: skip
    if not torch.equal(torch.isfinite(a), torch.isfinite(b)):
        return float("inf")
    a, b = a.nan_to_num(0, 0, 0), b.nan_to_num(0, 0, 0)
    error, size = (a - b).square().sum(0), b.square().sum(0)
    kept = size.argsort()[: size.numel() - size.numel() // _LARGEST]
    return max(_root_ratio(error, size), _root_ratio(error[kept], size[kept]))


def tolerance(model: nn.Module, rounding_steps: int) -> float:
    """What rounding may do to a relative error: of float32 1e-4 for a component, more in half.

    Arguments:
        model: its parameters tell the precision.
        rounding_steps: 1 for one component, 10 for a whole model.
    """
    kinds = {weight.dtype for weight in model.parameters() if weight.is_floating_point()}
    coarsest = max((torch.finfo(kind).eps for kind in kinds), default=0.0)
    return rounding_steps * max(1e-4, 8 * coarsest)


def _root_ratio(error: Tensor, size: Tensor) -> float:
    total = float(size.sum())
    return float((error.sum() / total).sqrt()) if total else float(error.sum() > 0)


def _numbers(output: Any) -> list[Tensor]:
    leaves = tree_leaves(dict(output) if isinstance(output, Mapping) else output)
    return [x for x in leaves if isinstance(x, Tensor) and x.is_floating_point()]


def _attends(module: nn.Module) -> bool:
    """Whether a module that stayed has spiking attention within its own forward."""
    return hasattr(module, attention.CHILD) or hasattr(module, operations.CHILD)


def _placed(module: nn.Module) -> bool:
    """Whether accelerate brings a module's weights in: a copy of it would be left without."""
    return any(hasattr(one, "_hf_hook") for one in module.modules())


def _without_cache(argument: Any) -> Any:
    """None for a cache of keys and values: the component has put its own into it already."""
    from transformers.cache_utils import Cache

    return None if isinstance(argument, Cache) else argument


def _understood(original: nn.Module, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for an original: eager attention adds its mask, where others ask it."""
    kwargs = {name: _without_cache(value) for name, value in kwargs.items()}
    if getattr(getattr(original, "config", None), "_attn_implementation", None) != "eager":
        return kwargs
    dtype = next(original.parameters()).dtype
    return {
        name: _added(value, dtype) if name.endswith("mask") else value
        for name, value in kwargs.items()
    }


def _added(mask: Any, dtype: torch.dtype) -> Any:
    """A mask to add to scores."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)

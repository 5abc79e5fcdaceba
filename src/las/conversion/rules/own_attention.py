"""Attention modules that multiply and soften in their own forward."""

from __future__ import annotations

import dis
import inspect
from types import FunctionType
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from las.components import operations
from las.components.operations import SpikingOperations
from las.conversion.registry import structure
from las.conversion.rules.linear import is_linear

_MULTIPLIES = {"matmul", "bmm", "baddbmm", "scaled_dot_product_attention"}
_SOFTENS = {"Softmax", "softmax", "scaled_dot_product_attention"}


def attends_itself(module: nn.Module) -> bool:
    """Whether a module has linear layers, and methods that multiply tensors and take a softmax."""
    if isinstance(module, PreTrainedModel) or not any(map(is_linear, module.children())):
        return False
    names: set[str] = set()
    operators = False
    for kind in type(module).__mro__:
        if kind is nn.Module:
            break
        for method in vars(kind).values():
            function = inspect.unwrap(method) if callable(method) else method
            if isinstance(function, FunctionType):
                names |= set(function.__code__.co_names)
                operators = operators or _has_at(function)
    return bool(names & _SOFTENS) and (operators or bool(names & _MULTIPLIES))


@structure(attends_itself)
def spiking_operations(module: Any) -> nn.Module:
    """The module stays; spiking components answer for its products and its softmax."""
    module.add_module(operations.CHILD, SpikingOperations())
    module.register_forward_pre_hook(operations.begin)
    module.register_forward_hook(operations.end, always_call=True)
    return module


def _has_at(function: FunctionType) -> bool:
    """Whether a function uses the operator @."""
    return any(
        one.opname == "BINARY_OP" and one.argrepr in ("@", "@=")
        for one in dis.get_instructions(function)
    )

"""Attention modules that multiply and soften in their own forward."""

from __future__ import annotations

import dis
from types import FunctionType
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from las.components import operations
from las.components.operations import SpikingOperations
from las.conversion.registry import structure
from las.conversion.rules.linear import is_linear
from las.conversion.rules.methods import methods_of

_MULTIPLIES = {"matmul", "bmm", "baddbmm", "scaled_dot_product_attention"}
_SOFTENS = {"Softmax", "softmax", "scaled_dot_product_attention"}


def attends_itself(module: nn.Module) -> bool:
    """Whether a module has linear layers, and methods that multiply tensors and take a softmax."""
    if isinstance(module, PreTrainedModel) or not any(map(is_linear, module.children())):
        return False
    methods = list(methods_of(module))
    names = {name for method in methods for name in method.__code__.co_names}
    if not names & _SOFTENS:
        return False
    return bool(names & _MULTIPLIES) or any(map(_has_at, methods))


@structure(attends_itself)
def spiking_operations(module: Any, _: bool) -> nn.Module:
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

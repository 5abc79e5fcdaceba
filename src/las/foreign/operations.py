"""The operations of PyTorch that spikes may feed: what each multiplies, and who reads an input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket
from torch.nn import functional as F

Reads = int | Tensor
"""How many accumulations an input feeds: one number, or a map over space, int64."""


@dataclass(frozen=True)
class Operand:
    """An input of an operation that may hold spikes.

    Attributes:
        x: the tensor as it is given; dimension 0 is the first of its rows.
        reads: how many accumulations each element feeds, broadcastable to x.
    """

    x: Tensor
    reads: Reads


@dataclass(frozen=True)
class Operation:
    """One call of an operation.

    Attributes:
        kind: "linear" where one operand is a weight, "matmul" for a product of two activations.
        macs: its multiply-accumulates, dense.
        operands: the inputs that are no weights, one or two.
        outputs: scalars that it makes.
        weights: stored numbers that it multiplies with; 0 for a product of two activations.
    """

    kind: str
    macs: int
    operands: tuple[Operand, ...]
    outputs: int
    weights: int


Read = Callable[[Mapping[str, Any], Tensor, Callable[[Tensor], bool]], "Operation | None"]
"""Makes an operation of its arguments by name, its result, and what tells weights."""


def operation(
    function: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    result: Any,
    is_weight: Callable[[Tensor], bool],
) -> Operation | None:
    """What one call of a function of PyTorch multiplies; None if it is none of these operations.

    Arguments:
        function: as `torch.overrides.TorchFunctionMode` is told it.
        args: positional arguments.
        kwargs: keyword arguments.
        result: what it returned.
        is_weight: whether a tensor is a parameter, or a view of one.
    """
    if not isinstance(result, Tensor):
        return None
    if function is torch.einsum:
        return _einsum(args[0], _summed(args), result, is_weight)
    if function not in _KNOWN:
        return None
    names, read = _KNOWN[function]
    return read({**dict(zip(names, args, strict=False)), **kwargs}, result, is_weight)


def unread(function: Any, args: tuple[Any, ...]) -> str:
    """The name of a function that multiplies, or may do so, where `operation` cannot look into it.

    That is fused attention, recurrent layers, einsum of three operands and more, and every custom
    operator.

    Arguments:
        function: as `torch.overrides.TorchFunctionMode` is told it.
        args: positional arguments.
    """
    if isinstance(function, (OpOverload, OpOverloadPacket)):
        return "" if str(function).startswith(("aten.", "prim.", "prims.")) else str(function)
    if function is torch.einsum:
        return "einsum" if len(_summed(args)) > 2 else ""
    return str(function.__name__) if function in _FUSED else ""


def _summed(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of einsum, which takes them one by one or as a list."""
    operands = args[1:]
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        return tuple(operands[0])
    return operands


def _linear(
    given: Mapping[str, Any], y: Tensor, is_weight: Callable[[Tensor], bool]
) -> Operation | None:
    x, weight = given["input"], given["weight"]
    macs = x.numel() * len(weight)
    return Operation("linear", macs, (Operand(x, len(weight)),), y.numel(), _stored(weight))


def _convolution(convolve: Callable[..., Tensor], transposed: bool) -> Read:
    def read(given: Mapping[str, Any], y: Tensor, is_weight: Callable[[Tensor], bool]) -> Operation:
        x, weight = given["input"], given["weight"]
        if x.dim() == weight.dim() - 1:  # one without a batch
            x, y = x[None], y[None]
        groups = given.get("groups", 1)
        chosen = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
            if name in ("stride", "padding", "output_padding", "dilation")
        }
        shape = tuple(x.shape[2:]), tuple(weight.shape[2:])
        reads = _kernels_that_read(convolve, *shape, tuple(sorted(chosen.items())))
        outputs = weight.shape[1] if transposed else len(weight) // groups
        macs = (x if transposed else y).numel() * weight[0].numel()
        operand = Operand(x, reads.to(x.device) * outputs)
        return Operation("linear", macs, (operand,), y.numel(), _stored(weight))

    return read


@lru_cache(maxsize=256)
def _kernels_that_read(
    convolve: Callable[..., Tensor],
    space: tuple[int, ...],
    kernel: tuple[int, ...],
    chosen: tuple[tuple[str, Any], ...],
) -> Tensor:
    """How many outputs of one channel read each place: the gradient of their sum, (1, 1, *space).

    Places near a border are read by fewer, and where the stride is larger than the kernel some are
    read by none.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.ones(1, 1, *space, dtype=torch.float64, device="cpu", requires_grad=True)
        ones = torch.ones(1, 1, *kernel, dtype=torch.float64, device="cpu")
        (reads,) = torch.autograd.grad(convolve(x, ones, **dict(chosen)).sum(), x)
    return reads.round().to(torch.int64)


def _product(
    given: Mapping[str, Any], y: Tensor, is_weight: Callable[[Tensor], bool]
) -> Operation | None:
    left, right = given["input"], given.get("other", given.get("mat2"))
    if not (isinstance(left, Tensor) and isinstance(right, Tensor)):
        return None
    return _bilinear(left, right, y, left.shape[-1], is_weight)


def _added_product(
    given: Mapping[str, Any], y: Tensor, is_weight: Callable[[Tensor], bool]
) -> Operation | None:
    left = given["mat1"] if "mat1" in given else given["batch1"]
    right = given["mat2"] if "mat2" in given else given["batch2"]
    return _bilinear(left, right, y, left.shape[-1], is_weight)


def _einsum(
    equation: Any, operands: tuple[Any, ...], y: Tensor, is_weight: Callable[[Tensor], bool]
) -> Operation | None:
    """Two operands by letters; whatever is summed over is not in the result."""
    if not isinstance(equation, str) or len(operands) != 2:
        return None
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    left, right = inputs.split(",")
    letters = set(inputs) - set(",.")
    if not arrow:
        output = "".join(letter for letter in letters if inputs.count(letter) == 1)
    summed = {letter: 1 for letter in letters - set(output)}
    for labels, x in zip((left, right), operands, strict=True):
        before, dots, after = labels.partition("...")
        sizes = [*zip(before, x.shape, strict=False)]
        if dots and after:
            sizes += zip(after, x.shape[-len(after) :], strict=True)
        summed |= {letter: size for letter, size in sizes if letter in summed}
    return _bilinear(*operands, y, prod(summed.values()), is_weight)


def _bilinear(
    left: Tensor, right: Tensor, y: Tensor, terms: int, is_weight: Callable[[Tensor], bool]
) -> Operation | None:
    """Every element of an operand takes part in the same number of products.

    Arguments:
        left, right: the operands.
        y: the result.
        terms: how many products each element of y adds up.
        is_weight: see `operation`.
    """
    weights = [is_weight(x) for x in (left, right)]
    operands = [x for x, weight in zip((left, right), weights, strict=True) if not weight]
    if not operands or not all(x.numel() for x in operands):
        return None
    macs = y.numel() * terms
    return Operation(
        "linear" if any(weights) else "matmul",
        macs,
        tuple(Operand(x, macs // x.numel()) for x in operands),
        y.numel(),
        sum(_stored(x) for x, weight in zip((left, right), weights, strict=True) if weight),
    )


def _stored(weight: Tensor) -> int:
    """How many numbers a weight has in memory: what is expanded is there once."""
    sizes = zip(weight.shape, weight.stride(), strict=True)
    return prod(size for size, stride in sizes if stride)


_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (
    *("input", "weight", "bias", "stride", "padding"),
    *("output_padding", "groups", "dilation"),
)
_KNOWN: dict[Any, tuple[tuple[str, ...], Read]] = {
    F.linear: (("input", "weight", "bias"), _linear),
    **{
        convolve: (_CONVOLUTION, _convolution(convolve, transposed=False))
        for convolve in (F.conv1d, F.conv2d, F.conv3d)
    },
    **{
        convolve: (_TRANSPOSED, _convolution(convolve, transposed=True))
        for convolve in (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
    },
    torch.matmul: (("input", "other"), _product),
    torch.Tensor.matmul: (("input", "other"), _product),
    torch.mm: (("input", "mat2"), _product),
    torch.Tensor.mm: (("input", "mat2"), _product),
    torch.bmm: (("input", "mat2"), _product),
    torch.Tensor.bmm: (("input", "mat2"), _product),
    torch.addmm: (("input", "mat1", "mat2"), _added_product),
    torch.Tensor.addmm: (("input", "mat1", "mat2"), _added_product),
    torch.baddbmm: (("input", "batch1", "batch2"), _added_product),
    torch.Tensor.baddbmm: (("input", "batch1", "batch2"), _added_product),
}
_FUSED = {
    *(F.scaled_dot_product_attention, F.multi_head_attention_forward, F.bilinear),
    *(torch.tensordot, torch.chain_matmul, torch.linalg.multi_dot, torch.linalg.matmul),
    *(torch.addbmm, torch.Tensor.addbmm, torch.mv, torch.Tensor.mv, torch.addmv),
    *(torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu),
    *(torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell),
}

"""Attention that a module computes in its own forward, operation by operation (Section 4.2.1).

Most attention modules of transformers hand queries, keys and values to an interface, where
`SpikingAttention` answers. The others multiply and soften themselves. There, while the module's
forward runs, PyTorch's matrix products of two tensors are answered by `SpikingProduct`, its softmax
by `SpikingSoftmax`, and its fused attention by `SpikingAttention`; everything else is PyTorch's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from las.components.attention import SpikingAttention
from las.components.call import Call
from las.components.component import SpikingComponent, SpikingModule
from las.components.product import Multiplied, SpikingProduct
from las.components.site import accumulate
from las.components.softmax import SpikingSoftmax

CHILD = "spiking_operations"

_FUSED = "fused"
"""The name of the part that answers for PyTorch's fused attention."""

FAR = -9000.0
"""Scores this far below the largest one of their query are hidden: their exponential is nothing."""

_PRODUCTS = {torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm}
_SUMMED_PRODUCTS = {torch.baddbmm, Tensor.baddbmm}
_CASTS = {Tensor.to, Tensor.float}
_SOFTMAX = {F.softmax, torch.softmax, Tensor.softmax}
_CHANGED = _PRODUCTS | _SUMMED_PRODUCTS | _SOFTMAX | _CASTS | {F.scaled_dot_product_attention}


class SpikingScores(SpikingSoftmax):
    """The softmax of scores whose hidden entries the model has set to a very low number.

    Where somebody counts, it hands over to itself which pairs of a query and a key do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.exp.token_dim = self.reciprocal.token_dim = -2

    def forward(self, z: Tensor, padded: Tensor | None = None) -> Tensor:
        """(..., keys) -> (..., keys)."""
        if not z.numel():
            return z
        hidden = _hidden(z)
        silent = z.masked_fill(hidden, -torch.inf)
        unheard, _ = self.silent(silent, padded)
        if unheard is not None:
            self.run.hand_over(self, ~unheard)
        if self.run.simulating:
            return accumulate(self.simulate(iter([silent]), ~hidden, padded))
        return super().forward(silent, padded)


def _hidden(z: Tensor) -> Tensor:
    """Which scores a mask hides: (..., keys) -> the same.

    Models add the lowest number of a dtype, or one like -1e4. What is that far below the largest
    score of its query weighs nothing, whether a mask has put it there or a steep ALiBi.
    """
    lowest = torch.finfo(z.dtype).min / 2
    return (z <= lowest) | (z - z.amax(-1, keepdim=True) <= FAR)


class SpikingOperations(SpikingComponent):
    """What answers for the products and the softmax of one attention module.

    Parts are made when they are first asked for. Products are told apart by their order in the
    module's forward; a name such as `product_0` is that of its neurons, too.
    """

    equations = "Section 4.2.1"

    def __init__(self) -> None:
        super().__init__()
        self.softmax = SpikingScores()

    def product(self, index: int) -> Any:
        """The product that comes after `index` others."""
        return self._part(f"product_{index}", SpikingProduct)

    @property
    def attention(self) -> Any:
        """What answers for PyTorch's fused attention."""
        return self._part(_FUSED, SpikingAttention)

    def grow(self, sites: Iterable[str]) -> None:
        """Make the parts that neuron sites with these names belong to."""
        for site in sites:
            if not site.startswith(f"{self.name}."):
                continue
            name = site.removeprefix(f"{self.name}.").partition(".")[0]
            if name == _FUSED:
                self._part(name, SpikingAttention)
            elif name.startswith("product_"):
                self._part(name, SpikingProduct)

    def _part(self, name: str, kind: type[SpikingComponent]) -> Any:
        """A part, made when it is first asked for."""
        if name not in self._modules:
            part = kind()
            self.add_module(name, part)
            for path, module in part.named_modules(prefix=f"{self.name}.{name}"):
                if isinstance(module, SpikingModule):
                    module.name = path
        return self._modules[name]


class _Answering(TorchFunctionMode):
    """Lets `SpikingOperations` answer during one call of a module's forward."""

    def __init__(self, operations: SpikingOperations, call: Call) -> None:
        super().__init__()
        self._operations = operations
        self._call = call
        self._products = 0
        self._softened = False
        self._seen: Tensor | None = None
        self._multiplied: list[Multiplied] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer for products and softmax."""
        kwargs = dict(kwargs or {})
        if func in _CHANGED and not self._call.runs():  # it was interrupted
            return func(*args, **kwargs)
        if func in _PRODUCTS:
            return self._product(*args, *kwargs.values())
        if func in _SUMMED_PRODUCTS:
            return self._summed(*args, **kwargs)
        if func in _SOFTMAX:
            return self._soften(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        result = func(*args, **kwargs)
        if func in _CASTS and args[0].dtype == torch.float64 and result.dtype == torch.float32:
            return args[0]  # a model that is wider than its author thought stays so
        return result

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        index, self._products = self._products, self._products + 1
        product = self._operations.product(index)
        product.left.weighs_keys = self._softened  # what comes after a softmax are probabilities
        seen, self._softened, self._seen = self._seen, False, None
        counted: Callable[[Multiplied], None]
        if seen is not None and _fits(seen.shape, left.shape):
            counted = partial(Multiplied.count, seen=seen.reshape(left.shape), keys="rows")
        else:
            counted = self._multiplied.append
        result: Tensor = product(left, right, counted)
        return result

    def _summed(
        self,
        given: Tensor,
        batch1: Tensor,
        batch2: Tensor,
        *,
        beta: float = 1,
        alpha: float = 1,
    ) -> Tensor:
        """A bias of positions, such as ALiBi's, is a constant current into the scores."""
        return given * beta + self._product(batch1, batch2) * alpha

    def _soften(
        self, z: Tensor, dim: int = -1, _stacklevel: int = 3, dtype: torch.dtype | None = None
    ) -> Tensor:
        z = z if dtype is None else z.to(torch.promote_types(z.dtype, dtype))  # never narrower
        z = z.movedim(dim, -1)
        self._softened = True
        probabilities: Tensor = self._operations.softmax(z)
        if self._operations.run.counting:
            self._seen = self._operations.run.take(self._operations.softmax)
            self.count(self._seen)
        return probabilities.movedim(-1, dim)

    def count(self, seen: Tensor | None = None) -> None:
        """Count the products that have been waiting for a mask.

        Arguments:
            seen: which pairs of a query and a key count, (..., L, S): those of the first product
                of that shape. In others, such as those of positions, all pairs do, but for queries
                that are padding.
        """
        waiting, self._multiplied = self._multiplied, []
        for multiplied in waiting:
            if seen is not None and _fits(seen.shape, multiplied.shape):
                multiplied.count(seen.reshape(multiplied.shape))
                seen = None
            else:
                multiplied.count()

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        **kwargs: Any,
    ) -> Tensor:
        if is_causal:
            pairs = query.shape[-2], key.shape[-2]
            attn_mask = torch.ones(*pairs, dtype=torch.bool, device=query.device).tril()[None, None]
        weight = query.shape[-1] ** -0.5 if scale is None else scale
        result: Tensor = self._operations.attention(query, key, value, attn_mask, weight)
        return result


def _fits(pairs: torch.Size, shape: torch.Size) -> bool:
    """Whether pairs are those of a tensor: heads may lie in the batch there."""
    return pairs[-2:] == shape[-2:] and pairs.numel() == shape.numel()


_ENTERED = threading.local()
"""The modes that calls of attention modules have entered, innermost last, in each thread."""


def begin(module: Any, args: Any) -> None:
    """A forward pre-hook of a module whose operations spike."""
    mode = _Answering(getattr(module, CHILD), Call())
    mode.__enter__()
    _ENTERED.stack = [*getattr(_ENTERED, "stack", []), mode]


def end(module: Any, args: Any, output: Any) -> None:
    """The forward hook that belongs to `begin`; it runs even if the forward raised."""
    *_ENTERED.stack, mode = _ENTERED.stack
    mode.__exit__(None, None, None)
    mode.count()

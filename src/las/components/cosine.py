"""The cosine of two embeddings, which a model of two towers computes in its own forward.

There is no module to replace: the model divides what its towers return by its length and
multiplies the two. So the towers return an `Embedding`, which lets spiking components answer when
PyTorch is asked for these steps, while the forward of their model runs. Outside of it they return
plain tensors, and so does the model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map_only

from las.components.call import Call
from las.components.component import SpikingModule
from las.components.norm import SpikingNorm
from las.components.product import SpikingProduct

CHILD = "spiking_cosine"

_NORM = {torch.norm, Tensor.norm, torch.linalg.vector_norm, torch.linalg.norm}
_DIVIDE = {torch.div, Tensor.div, torch.true_divide, Tensor.true_divide, Tensor.__truediv__}
_MULTIPLY = {torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.mm, Tensor.mm}
_POWER = {torch.pow, Tensor.pow, Tensor.__pow__}
_MOVE = {
    Tensor.to,
    Tensor.t,
    torch.t,
    torch.transpose,
    Tensor.transpose,
    Tensor.T.__get__,  # type: ignore[attr-defined]
    Tensor.mT.__get__,  # type: ignore[attr-defined]
}
"""After these a unit vector is one still."""


class SpikingUnitVector(SpikingNorm):
    """x / |x| (Eq. 14): no mean, no epsilon, and the fixed weight 1/sqrt(n) on the output."""

    def __init__(self) -> None:
        super().__init__(None, None, eps=0.0, centred=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., n) -> (..., n)."""
        return super().forward(x) * x.shape[-1] ** -0.5


class SpikingCosine(SpikingModule):
    """What answers for the cosine of a model with two towers.

    Attributes:
        units: by the name of the module that returns the embedding.
        product: of the two unit vectors.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.units = nn.ModuleDict({name: SpikingUnitVector() for name in names})
        self.product = SpikingProduct()

    def add_to(self, model: nn.Module) -> None:
        """Become a part of a model, whose modules of these names return embeddings from then on."""
        model.add_module(CHILD, self)
        model.register_forward_pre_hook(begin)
        model.register_forward_hook(end, always_call=True)
        for name in self.units:
            model.get_submodule(name).register_forward_hook(partial(embed, name))


class Embedding(Tensor):
    """What a tower returns, (B, n).

    Attributes:
        cosine: what answers for its steps to the cosine.
        tower: the name of the module that returned it; empty for a unit vector.
    """

    cosine: SpikingCosine
    tower: str

    @classmethod
    def of(cls, x: Tensor, cosine: SpikingCosine, tower: str) -> Embedding:
        """A tensor as an embedding."""
        embedding = x.as_subclass(cls)
        embedding.cosine, embedding.tower = cosine, tower
        return embedding

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Answer for lengths, unit vectors and their product; all else is PyTorch's business."""
        kwargs = dict(kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            first = args[0] if args else None
            if isinstance(first, cls):
                done = (
                    first._normed(func, args[1:], kwargs)
                    if first.tower
                    else first._multiplied(func, args[1:], kwargs)
                )
                if done is not None:
                    return done
            return func(*map(_plain, args), **{name: _plain(x) for name, x in kwargs.items()})

    def _normed(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """A step from an embedding to its unit vector, or None."""
        if func in _POWER and _is(args, 2):
            return Length(self, "squares")
        if func in _NORM and _of_rows(_NORM_ARGUMENTS, args, kwargs) and kwargs.get("keepdim"):
            return Length(self, "length")
        by = args[0] if func in _DIVIDE and len(args) == 1 and not kwargs else None
        divided = isinstance(by, Length) and by.stage == "length" and by.embedding is self
        if divided or (func is F.normalize and _of_rows(_NORM_ARGUMENTS, args, kwargs)):
            unit = self.cosine.units[self.tower](_plain(self))
            return Embedding.of(unit, self.cosine, "")
        return None

    def _multiplied(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The product of two unit vectors, or None."""
        x = _plain(self)
        if func in _MULTIPLY and isinstance(args[0], Embedding) and not args[0].tower:
            return self.cosine.product(x, _plain(args[0]))
        if func in _MOVE:
            return Embedding.of(func(x, *args, **kwargs), self.cosine, "")
        return None


@dataclass(frozen=True)
class Length:
    """What a model asks for on the way to an embedding's length; it is computed by the neurons.

    Attributes:
        embedding: (B, n).
        stage: how far the model has come: "squares" (B, n), their "sum" or its root (B, 1).
    """

    embedding: Embedding
    stage: Literal["squares", "sum", "length"]

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Go on to the next stage; where the model wants anything else, compute what is there."""
        kwargs = dict(kwargs or {})
        one = args[0] if args else None
        if isinstance(one, cls):
            summed = func is torch.sum and _of_rows(("dim",), args[1:], kwargs)
            if one.stage == "squares" and summed and kwargs.get("keepdim"):
                return cls(one.embedding, "sum")
            rooted = func is torch.sqrt or (func is torch.pow and _is(args[1:], 0.5))
            if one.stage == "sum" and rooted:
                return cls(one.embedding, "length")
        return func(*map(_plain, args), **{name: _plain(x) for name, x in kwargs.items()})

    def value(self) -> Tensor:
        """What PyTorch makes of it."""
        squares = _plain(self.embedding).square()
        if self.stage == "squares":
            return squares
        total = squares.sum(-1, keepdim=True)
        return total if self.stage == "sum" else total.sqrt()


_NORM_ARGUMENTS = ("p", "dim")
"""The arguments of a norm that may be given by their places."""


def _of_rows(names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether arguments ask for the Euclidean norm or the sum of each row of a matrix."""
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    euclidean = given.get("p", given.get("ord", 2)) in (2, "fro", None)
    return euclidean and given.get("dim") in (-1, 1, (-1,), [-1])


def _is(args: tuple[Any, ...], number: float) -> bool:
    """Whether a number is all that is given."""
    return len(args) == 1 and isinstance(args[0], int | float) and args[0] == number


def _plain(x: Any) -> Any:
    """A tensor without what answers for it; anything else as it is."""
    if isinstance(x, Length):
        return x.value()
    return x.as_subclass(Tensor) if isinstance(x, Embedding) else x


_RUNNING = threading.local()
"""What answers for the models of two towers that run, and their calls, innermost last."""


def begin(model: Any, args: Any) -> None:
    """A forward pre-hook of a model with two towers."""
    _RUNNING.stack = [*getattr(_RUNNING, "stack", []), (getattr(model, CHILD), Call())]


def end(model: Any, args: Any, output: Any) -> Any:
    """The forward hook that belongs to `begin`; it runs even if the forward raised."""
    *_RUNNING.stack, _ = _RUNNING.stack
    return tree_map_only(Embedding, _plain, output)


def embed(name: str, module: nn.Module, args: Any, output: Any) -> Any:
    """A forward hook of a module that returns an embedding, alone or as its `pooler_output`."""
    running = [cosine for cosine, call in getattr(_RUNNING, "stack", []) if call.runs()]
    if not running:  # somebody asks for the embedding itself
        return output
    if isinstance(output, Tensor):
        return Embedding.of(output, running[-1], name)
    if isinstance(pooled := getattr(output, "pooler_output", None), Tensor):
        output.pooler_output = Embedding.of(pooled, running[-1], name)
    return output

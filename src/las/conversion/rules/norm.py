"""Normalisation by a mean of squares, centred or not, known by what it makes of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from las.components.norm import SpikingNorm
from las.conversion.registry import structure
from las.conversion.rules.stand_in import answer, same, stand_in

_WIDTH = 24
"""Channels of the input that a norm without weights is shown."""

_MOST = 2**22
"""Weights of a norm, over all heads: what has more of them is something else."""

_USUAL_EPSILONS = (1e-5, 1e-6, 1e-8, 1e-12, torch.finfo(torch.float32).eps)


@dataclass(frozen=True)
class Normalisation:
    """gamma (x - mu) / sqrt(sigma^2 + eps) + beta, gamma = weight + offset (Eq. 14).

    Attributes:
        eps: epsilon.
        centred: whether mu is the mean of a token, or 0.
        offset: 1 where a class begins with weights of 0, as Gemma's do; 0 otherwise.
    """

    eps: float
    centred: bool
    offset: float

    def of(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """The norm itself, on x (..., n)."""
        if self.centred:
            x = x - x.mean(-1, keepdim=True)
        y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)
        y = y if weight is None else y * (weight + self.offset)
        return y if bias is None else y + bias


def normalisation_of(module: nn.Module) -> Normalisation | None:
    """What kind of normalisation a module is, or None if it is none.

    The answer follows from what the module's forward makes of made-up weights and small inputs,
    for which epsilon shows. Whether weights are added to 1 is a convention of the class: the one
    by which it begins with weights of 0.
    """
    names = {name for name, weight in module._parameters.items() if weight is not None}
    has_parts = next(module.children(), None) is not None
    if has_parts or not names <= {"weight", "bias"} or isinstance(module, nn.Embedding):
        return None
    weight = module._parameters.get("weight")
    shape = (_width(module),) if weight is None else tuple(weight.shape)
    if not 1 <= len(shape) <= 2 or shape[-1] < 2 or prod(shape) > _MOST:
        return None
    one = stand_in(module)
    generator = torch.Generator("cpu").manual_seed(1)
    x = (
        0.02 * torch.randn(2, 3, *shape, generator=generator, dtype=torch.float32, device="cpu")
        + 0.01
    )
    y = answer(one, x)
    if y is None or y.shape != x.shape:
        return None
    own = [getattr(one, name) if name in names else None for name in ("weight", "bias")]
    offset = 1.0 if weight is not None and _begins_at_zero(type(module), shape) else 0.0
    for eps in dict.fromkeys((*_small_numbers(module), *_USUAL_EPSILONS)):
        for centred in (False, True):
            kind = Normalisation(eps, centred, offset)
            if same(y, kind.of(x, *own), 1e-4):
                return kind
    return None


@structure(normalisation_of)
def spiking_norm(module: Any, kind: Normalisation) -> nn.Module:
    """The spike-equivalent of a norm, with the very parameters of the module."""
    weight, bias = (module._parameters.get(name) for name in ("weight", "bias"))
    return SpikingNorm(weight, bias, kind.eps, kind.centred, kind.offset)


def _width(module: Any) -> int:
    shape = getattr(module, "normalized_shape", None)
    return int(shape[-1]) if shape else _WIDTH


def _begins_at_zero(kind: type, shape: tuple[int, ...]) -> bool:
    """Whether a new module of a class has weights of 0."""
    try:
        with torch.device("cpu"):
            fresh: Any = kind(shape if len(shape) > 1 else shape[0])
        return bool((fresh.weight == 0).all())
    except Exception:  # it takes other arguments, and there is no telling
        return False


def _small_numbers(module: nn.Module) -> list[float]:
    """What may be an epsilon among a module's attributes."""
    return [
        value for value in vars(module).values() if isinstance(value, float) and 0 <= value < 0.1
    ]

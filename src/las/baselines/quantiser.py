"""What a pair of neurons makes of a constant input, as a function that can be trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def quantise(x: Tensor, limit: Tensor, levels: int) -> Tensor:
    """sign(x) lambda clip(floor(|x| L / lambda + 1/2) / L, 0, 1), for both signs what QCFS has.

    The gradient goes straight through the floor: by x it is 1 where |x| <= lambda and else 0; by
    lambda it is, for x >= 0, (y - x) / lambda where |x| <= lambda and else 1.

    Arguments:
        x: any shape.
        limit: lambda, positive, broadcastable to x.
        levels: L, of each sign.
    """
    scaled = (x.abs() / limit).clamp(max=1) * levels + 0.5
    floored = scaled + (scaled.floor() - scaled).detach()
    return x.sign() * limit * floored / levels


class Quantiser(nn.Module):
    """Quantises what a linear layer reads.

    Attributes:
        levels: L.
        log_limit: the logarithm of lambda, (channels,) or (1,), trained: lambda stays positive.
    """

    def __init__(self, limit: Tensor, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.log_limit = nn.Parameter(limit.log())

    @property
    def limit(self) -> Tensor:
        """Lambda."""
        return self.log_limit.exp()

    def hook(self, layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """A forward pre-hook of the layer."""
        return (quantise(args[0], self.limit.to(args[0]), self.levels), *args[1:])


@torch.no_grad()
def quantisers(thresholds: dict[str, Tensor], levels: int, parts: float) -> dict[str, Quantiser]:
    """A quantiser for each layer that is to spike, by path.

    Arguments:
        thresholds: of the neurons, by path.
        levels: how many spikes they emit at most in T time steps.
        parts: how many spikes of a channel make up its threshold; lambda is levels / parts of it.
    """
    return {
        path: Quantiser(threshold * (levels / parts), levels)
        for path, threshold in thresholds.items()
    }

"""The Few-Spikes neuron (Eqs. 1-2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FS:
    """Parameters of one Few-Spikes neuron, or of one per element of a leading shape.

    Attributes:
        theta: thresholds theta(t), shape (..., T).
        h: reset strengths h(t), shape (..., T).
        d: output weights d(t), shape (..., T).

    Raises:
        ValueError: the three shapes differ, or T = 0.
    """

    theta: Tensor
    h: Tensor
    d: Tensor

    def __post_init__(self) -> None:
        if not self.theta.shape == self.h.shape == self.d.shape or self.theta.shape[-1] == 0:
            raise ValueError(
                "theta, h and d must have one shape (..., T) with T >= 1, got "
                f"{tuple(self.theta.shape)}, {tuple(self.h.shape)}, {tuple(self.d.shape)}"
            )


def step(v: Tensor, t: int, neuron: FS) -> tuple[Tensor, Tensor]:
    """One time step.

    Arguments:
        v: membrane potential, shape that broadcasts with the neuron's leading shape.
        t: time step, 1 to T.
        neuron: its parameters.

    Returns:
        spikes: s(t) = Theta(v(t) - theta(t)), 0 or 1 (Eq. 2).
        v: v(t + 1) = v(t) - h(t) s(t) (Eq. 1).
    """
    spikes = (v >= neuron.theta[..., t - 1]).to(v.dtype)
    return spikes, v - neuron.h[..., t - 1] * spikes


def spike_train(x: Tensor, neuron: FS) -> Iterator[Tensor]:
    """Spikes s(t) of t = 1 .. T for the input v(1) = x."""
    v = x
    for t in range(1, neuron.theta.shape[-1] + 1):
        spikes, v = step(v, t, neuron)
        yield spikes


def output(x: Tensor, neuron: FS) -> Tensor:
    """f_hat(x) = sum_t d(t) s(t), the shape of x."""
    total = torch.zeros_like(x)
    for t, spikes in enumerate(spike_train(x, neuron)):
        total = total + neuron.d[..., t] * spikes
    return total

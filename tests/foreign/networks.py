"""Small spiking networks as other people write them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Given(nn.Module):
    """Neurons whose spikes are chosen beforehand: a tensor (T, ...), whatever they are told."""

    def __init__(self, spikes: Tensor) -> None:
        super().__init__()
        self.spikes = spikes

    def forward(self, x: Tensor) -> Tensor:
        return self.spikes


class Fire(nn.Module):
    """Integrate-and-fire with a soft reset, over dimension 0 or called at each time step."""

    def __init__(self, stepwise: bool = False, signed: bool = False) -> None:
        super().__init__()
        self.stepwise = stepwise
        self.signed = signed
        self.v: Tensor | float = 0.0

    def step(self, x: Tensor) -> Tensor:
        self.v = self.v + x
        spikes = (self.v >= 1).to(x.dtype)
        if self.signed:
            spikes = spikes - (self.v <= -1).to(x.dtype)
        self.v = self.v - spikes
        return spikes

    def forward(self, x: Tensor) -> Tensor:
        if self.stepwise:
            return self.step(x)
        self.v = 0.0
        return torch.stack([self.step(one) for one in x])


class Deep(nn.Module):
    """A convolution on images, a second one, and a linear layer: T steps at once, or T calls."""

    def __init__(self, time_steps: int, stepwise: bool, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.time_steps, self.stepwise = time_steps, stepwise
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.fire = Fire(stepwise)
        self.second = nn.Conv2d(3, 4, 3, stride=2)
        self.fire_again = Fire(stepwise, signed=True)
        self.head = nn.Linear(4 * 2 * 2, 5)

    def step(self, x: Tensor) -> Tensor:
        fired = self.fire_again(2 * self.second(self.fire(2 * self.first(x))))
        return self.head(fired.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.stepwise:
            self.fire.v = self.fire_again.v = 0.0
            return torch.stack([self.step(x) for _ in range(self.time_steps)]).mean(0)
        steps = (self.time_steps, len(x))
        repeated = x.repeat(self.time_steps, 1, 1, 1)
        fired = self.fire(2 * self.first(repeated).unflatten(0, steps))
        fired = self.fire_again(2 * self.second(fired.flatten(0, 1)).unflatten(0, steps))
        return self.head(fired.flatten(2)).mean(0)


class Attention(nn.Module):
    """Spiking self-attention without a softmax, as Spikformer has it: Q K^T V at each step."""

    def __init__(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        super().__init__()
        self.q, self.k, self.v = Given(q), Given(k), Given(v)

    def forward(self, x: Tensor) -> Tensor:
        return (self.q(x) @ self.k(x).mT) @ self.v(x)

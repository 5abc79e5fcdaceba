"""The non-linear functions that HG neurons approximate, and what is known of each beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Budget:
    """Largest admissible error: |f_hat(x) - f(x)| <= max(absolute, relative * |f(x)|)."""

    absolute: float
    relative: float


@dataclass(frozen=True)
class Function:
    """A unary function and the facts that its fit needs.

    Attributes:
        name: its name in configs, tallies and adapters.
        evaluate: f, element by element.
        budget: the default error budget.
        inputs: "all" reals, only "positive" or only "negative" ones.
        tail: octaves that sub-neurons go on covering beyond the calibrated range, so that the
            function follows its asymptote there (SiLU and GELU: 0 and x) instead of clamping.
        head: the same towards zero, for "positive" inputs.
        silent_below: for "negative" inputs: emit nothing beyond the last octave.
    """

    name: str
    evaluate: Callable[[Tensor], Tensor]
    budget: Budget
    inputs: str = "all"
    tail: int = 8
    head: int = 1
    silent_below: bool = False


def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of GELU (GPT-2's gelu_new)."""
    return F.gelu(x, approximate="tanh")


def quick_gelu(x: Tensor) -> Tensor:
    """x sigmoid(1.702 x), CLIP's GELU."""
    return x * torch.sigmoid(1.702 * x)


def relu_squared(x: Tensor) -> Tensor:
    """The square of ReLU, Nemotron's activation."""
    return F.relu(x).square()


_ACTIVATION = Budget(absolute=5e-5, relative=4e-6)

FUNCTIONS: dict[str, Function] = {
    f.name: f
    for f in (
        Function("exp", torch.exp, Budget(1e-7, 5e-5), "negative", 4, silent_below=True),
        Function("reciprocal", torch.reciprocal, Budget(0.0, 2e-5), "positive", 4),
        Function("inverse_sqrt", torch.rsqrt, Budget(0.0, 2e-5), "positive", 8, 4),
        Function("square", torch.square, Budget(1e-8, 5e-5), "all", 4),
        Function("gelu", F.gelu, _ACTIVATION),
        Function("gelu_tanh", gelu_tanh, _ACTIVATION),
        Function("silu", F.silu, _ACTIVATION),
        Function("quick_gelu", quick_gelu, _ACTIVATION),
        Function("tanh", torch.tanh, _ACTIVATION),
        Function("sigmoid", torch.sigmoid, _ACTIVATION),
        Function("relu", torch.relu, _ACTIVATION),
        Function("relu_squared", relu_squared, _ACTIVATION),
    )
}

"""Spike Activation-Activation multiplication (Eqs. 11-12, Appendix A), matrix and Hadamard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor], Tensor]


def multiply_steps(a: Iterator[Tensor], b: Iterator[Tensor], product: Product) -> Iterator[Tensor]:
    """The step simulator of a product of two spike trains.

    Eq. 12 (its q/k subscripts set right): A_s(t) = a(t) b(t) + a(t) S_b(t) + S_a(t) b(t), where
    S_a and S_b hold what has been fired before t. In every term one factor is a spike, so that the
    term selects and adds; two accumulated tensors are never multiplied. The first two terms are
    taken together: a(t) reads all that b has fired so far, this step included. An operand with
    fewer time steps than the other one is silent in the rest of them.

    Arguments:
        a: weighted spikes of the first operand, one tensor for each of its time steps.
        b: weighted spikes of the second operand, likewise.
        product: a bilinear map, e.g. `torch.matmul` or `torch.mul`.

    Yields:
        The increment A_s(t) of each time step.
    """
    sum_a: Tensor | None = None
    sum_b: Tensor | None = None
    for spikes_a, spikes_b in zip_longest(a, b):
        increment: Tensor | None = None
        if spikes_b is not None:
            sum_b = spikes_b if sum_b is None else sum_b + spikes_b
            if sum_a is not None:
                increment = product(sum_a, spikes_b)
        if spikes_a is not None and sum_b is not None:
            read = product(spikes_a, sum_b)
            increment = read if increment is None else read + increment
            sum_a = spikes_a if sum_a is None else sum_a + spikes_a
        if increment is not None:
            yield increment


def multiply_same_steps(
    a: Iterable[Tensor], b: Iterable[Tensor], product: Product
) -> Iterator[Tensor]:
    """What is left of `multiply_steps` without the cross terms of Eq. 12: A_s(t) = a(t) b(t).

    The ablation of Section 5.5. Spikes that do not come at the same time are lost to the product;
    no factor makes up for it, as it depends on the values which spikes coincide.
    """
    for spikes_a, spikes_b in zip(a, b, strict=False):
        yield product(spikes_a, spikes_b)


def side_by_side(train: Iterable[Tensor], time_steps: int) -> Tensor:
    """The spikes of all time steps next to each other: T tensors (..., D) -> (..., T D).

    The product of two such tensors is what `multiply_same_steps` adds up to. Steps in which
    neurons have been stopped are silent.

    Arguments:
        train: weighted spikes, T tensors or fewer.
        time_steps: T.
    """
    steps = list(train)
    silent = [torch.zeros_like(steps[0])] * (time_steps - len(steps))
    return torch.cat([*steps, *silent], dim=-1)


def one_by_one(spikes: Tensor, time_steps: int) -> Iterator[Tensor]:
    """Inverse of `side_by_side`: (..., T D) -> T tensors (..., D)."""
    return iter(spikes.unflatten(-1, (time_steps, spikes.shape[-1] // time_steps)).unbind(-2))

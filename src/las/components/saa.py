"""Spike Activation-Activation multiplication (Eqs. 11-12, Appendix A), matrix and Hadamard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

Product = Callable[[Tensor, Tensor], Tensor]


def multiply_steps(a: Iterator[Tensor], b: Iterator[Tensor], product: Product) -> Iterator[Tensor]:
    """The step simulator of a product of two spike trains.

    Eq. 12 (its q/k subscripts set right): A_s(t) = a(t) b(t) + a(t) S_b(t) + S_a(t) b(t), where
    S_a and S_b hold what has been fired before t. In every term one factor is a spike, so that the
    term selects and adds; two accumulated tensors are never multiplied. The first two terms are
    taken together: a(t) reads all that b has fired so far, this step included.

    Arguments:
        a: weighted spikes of the first operand, T tensors.
        b: weighted spikes of the second operand, T tensors.
        product: a bilinear map, e.g. `torch.matmul` or `torch.mul`.

    Yields:
        The increment A_s(t) of each time step.
    """
    sum_a: Tensor | None = None
    sum_b: Tensor | None = None
    for spikes_a, spikes_b in zip(a, b, strict=True):
        sum_b = spikes_b if sum_b is None else sum_b + spikes_b
        increment = product(spikes_a, sum_b)
        if sum_a is not None:
            increment = increment + product(sum_a, spikes_b)
        sum_a = spikes_a if sum_a is None else sum_a + spikes_a
        yield increment

"""Spike-equivalent products of two tensors that a model computes (Eqs. 11-12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from las.components.component import SpikingComponent, Work
from las.components.saa import multiply_same_steps, multiply_steps, side_by_side
from las.components.site import OATSite, accumulate
from las.neurons.encoding import NOTHING, Firing, SpikeEncoding, total

Keys = Literal["columns", "rows"]


class SpikingProduct(SpikingComponent):
    """phi(A) phi(B) of two tensors that the model computes (Eqs. 11-12).

    Attributes:
        naive: whether it does without the cross terms of Eq. 12, as in Section 5.5.
    """

    equations = "Eqs. 11-12"

    def __init__(self) -> None:
        super().__init__()
        self.left = OATSite(token_dim=-2)
        self.right = OATSite(token_dim=-2)
        self.naive = False

    def work(self, pairs: int, width: int, inputs: int, outputs: int) -> tuple[Work, ...]:
        """Pairs of a query and a key, each of which multiplies `width` numbers.

        Arguments:
            pairs: how many of them.
            width: numbers that a pair multiplies.
            inputs: elements of both operands that meet any.
            outputs: elements of the product that are made of any.
        """
        return (Work("matmul", macs=pairs * width, inputs=inputs, outputs=outputs),)

    def forward(
        self, left: Tensor, right: Tensor, later: Callable[[Multiplied], None] | None = None
    ) -> Tensor:
        """Multiply.

        Arguments:
            left: (..., n, k).
            right: (..., k, m).
            later: takes what is to be counted as soon as it is known which of it counts; None
                where all of it does.

        Returns:
            (..., n, m).
        """
        turned = right.stride(-1) != 1  # K^T: its tokens are columns
        stored = right.mT if turned else right
        a: SpikeEncoding
        b: SpikeEncoding
        if self.run.simulating:
            product, a, b = self._simulate(left, stored, turned)
        else:
            a, b = self.left(left, count=False), self.right(stored, count=False)
            if self.naive and self.run.observer is None:
                product = self._same_steps(left, stored, turned)
            else:
                product = a.value @ (b.value.mT if turned else b.value)
        if self.run.counting:
            multiplied = Multiplied(self, left, stored, turned, a, b)
            if later is None:
                multiplied.count()
            else:
                later(multiplied)
        return product

    def _same_steps(self, left: Tensor, stored: Tensor, turned: bool) -> Tensor:
        """The fused path of a naive product: all time steps side by side in one."""
        a = side_by_side(self.left.steps(left, count=False), self.left.time_steps)
        arriving = self.right.steps(stored, count=False)
        columns = arriving if turned else (spikes.mT for spikes in arriving)
        return a @ side_by_side(columns, self.right.time_steps).mT

    def _simulate(
        self, left: Tensor, stored: Tensor, turned: bool
    ) -> tuple[Tensor, SpikeEncoding, SpikeEncoding]:
        """The step simulator: the product, and what the neurons of both operands fired."""
        a = list(self.left.steps(left, count=False))
        b = list(self.right.steps(stored, count=False))
        arriving = (spikes.mT if turned else spikes for spikes in b)
        multiply = multiply_same_steps if self.naive else multiply_steps
        product = accumulate(multiply(iter(a), arriving, torch.matmul))
        if not self.run.counting:
            return product, SpikeEncoding(left), SpikeEncoding(stored)
        return product, _listened(self.left, left, a), _listened(self.right, stored, b)


def _listened(site: OATSite, x: Tensor, train: list[Tensor]) -> SpikeEncoding:
    """What T steps of the neurons that code x come to, and what each of them has fired."""
    fired = (site.packed(x, t, spikes)[None] for t, spikes in enumerate(train, 1))
    return SpikeEncoding(accumulate(iter(train)), torch.cat([*fired]).sum(0, dtype=torch.int16))


@dataclass(frozen=True)
class Multiplied:
    """A product of which nothing has been counted yet.

    In attention the mask tells what counts: a query meets the keys that it sees and no others, and
    an element that meets none is no activation. The mask comes to light where the softmax reads
    the scores, which is after the first of the products.

    Attributes:
        product: what has multiplied.
        left: its left operand, (..., n, k).
        stored: its right operand, (..., k, m), or (..., m, k) if turned.
        turned: see there.
        a: the spikes of the left operand.
        b: the spikes of the right operand.
    """

    product: SpikingProduct
    left: Tensor
    stored: Tensor
    turned: bool
    a: SpikeEncoding
    b: SpikeEncoding

    @property
    def shape(self) -> torch.Size:
        """Of the product, (..., n, m)."""
        batch = torch.broadcast_shapes(self.left.shape[:-2], self.stored.shape[:-2])
        columns = self.stored.shape[-2 if self.turned else -1]
        return torch.Size((*batch, self.left.shape[-2], columns))

    def count(self, seen: Tensor | None = None, keys: Keys = "columns") -> None:
        """Count it.

        Arguments:
            seen: which pairs of a query and a key count; queries are rows of the left operand.
                (..., n, m) if keys are columns of the right operand, and the left operand's shape
                if they are its rows. None, where keys are columns, for those of all queries but
                padding that is known.
            keys: what of the right operand keys are.
        """
        *batch, queries, columns = self.shape
        inner = self.left.shape[-1]
        if self.a.packed is None or self.b.packed is None:  # they came in before anybody counted
            read = self.left.numel() + self.stored.numel()
            work = self.product.work(self.shape.numel(), inner, read, self.shape.numel())
            self.product.count(work, 0)
            return
        across, width = (columns, inner) if keys == "columns" else (inner, columns)
        if seen is None:
            seen = self._of_no_padding()
        pairs = seen.expand(*batch, queries, across)
        asking, fired = self.a.packed, self.b.packed.mT if self.turned else self.b.packed
        answered = pairs.sum(-2).sum_to_size((*fired.shape[:-2], across))
        if keys == "columns":
            asked = pairs.sum(-1).sum_to_size(self.left.shape[:-1])
            unread_left, unread_right = asked[..., None] == 0, answered[..., None, :] == 0
            of_left = Firing.of(asking, lambda x: total(x.sum(-1, dtype=torch.int64) * asked))
            of_right = Firing.of(fired, lambda x: total(x.sum(-2, dtype=torch.int64) * answered))
        else:
            times = self.shape[:-2].numel() // self.left.shape[:-2].numel()
            unread_left, unread_right = ~seen, answered[..., None] == 0
            of_left = Firing.of(asking.masked_fill(unread_left, 0)) * (times * columns)
            of_right = Firing.of(fired, lambda x: total(x.sum(-1, dtype=torch.int64) * answered))
        self.product.left.told(self.left, self.a, unread_left)
        self.product.right.told(
            self.stored, self.b, unread_right.mT if self.turned else unread_right
        )
        silent = unread_left.expand_as(self.left), unread_right.expand_as(fired)
        inputs = self.left.numel() + self.stored.numel() - sum(map(total, silent))
        made = pairs if keys == "columns" else pairs.any(-1)
        outputs = total(made) * (1 if keys == "columns" else columns)
        work = self.product.work(total(pairs), width, inputs, outputs)
        if self.product.naive:  # spikes of the left operand read what comes at the same time
            of_right = NOTHING
        self.product.count(work, of_left + of_right, early=(of_right,))

    def _of_no_padding(self) -> Tensor:
        """All pairs of queries that are not known to be padding, broadcastable to (..., n, m)."""
        padding = self.product.left.padding(self.left)
        if padding is None:
            return torch.ones(1, 1, dtype=torch.bool, device=self.left.device)
        return ~padding[..., None]

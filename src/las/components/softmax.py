"""Spike-equivalent softmax (Eqs. 15-17, Appendix C)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from las.components.component import SpikingComponent, Work
from las.components.saa import multiply_steps
from las.components.site import HGSite, OATSite, accumulate
from las.components.visibility import Visibility
from las.neurons.encoding import NOTHING, Firing, total
from las.neurons.fused import memory, totals


class SpikingSoftmax(SpikingComponent):
    """f_exp(z - z_max) o f_inv(sum of f_exp(z - z_max)) over the last dimension.

    Masked entries emit no spike: they are silent neurons, not large negative numbers.
    """

    equations = "Eqs. 15-17, Appendix C"

    def __init__(self) -> None:
        super().__init__()
        self.exp = HGSite("exp", token_dim=2)
        self.reciprocal = HGSite("reciprocal", token_dim=2)

    def work(self, pairs: int, queries: int) -> tuple[Work, ...]:
        """An exponential and a product for each pair of a query and a key that it sees."""
        nonlinear = {"exp": pairs, "reciprocal": queries}
        return (Work("softmax", macs=pairs, nonlinear=nonlinear, inputs=pairs, outputs=pairs),)

    def forward(self, z: Tensor, padded: Tensor | None = None) -> Tensor:
        """Site by site: where no kernel runs, and where activations are observed.

        Arguments:
            z: (..., keys); masked entries are -inf.
            padded: which queries are padding, broadcastable to (..., 1); they do not count.
        """
        peak = z.amax(-1, keepdim=True).nan_to_num(neginf=0.0)
        hidden, unasked = self.silent(z, padded)
        exponentials = self.exp(z - peak, hidden)
        weight = exponentials.value.sum(-1, keepdim=True)
        inverse = self.reciprocal(weight.masked_fill(weight == 0, 1.0), unasked)
        if inverse.counts is not None and hidden is not None and unasked is not None:
            kept = torch.count_nonzero(~hidden, dim=-1)[..., None]
            sops = 2 * exponentials.spikes + total(inverse.counts * kept)
            self.count(self.work(total(kept), total(~unasked)), sops)
        # A query that sees no key, such as padding on the left, weighs none.
        return exponentials.value * inverse.value.masked_fill(weight == 0, 0.0)

    def code(
        self, scores: Tensor, scale: float, sees: Visibility, first: int, reader: OATSite
    ) -> Firing:
        """phi(softmax(scale * scores)) with the OAT neurons of its reader, in one kernel, in place.

        Arguments:
            scores: (B, H, queries, keys), contiguous; the coded probabilities afterwards. Keys
                beyond these are hidden from all the queries.
            scale: weight of the scores.
            sees: which keys a query sees, for the same B.
            first: which of all queries comes first in `scores`.
            reader: the neurons that code the probabilities.

        Returns:
            What the probabilities have fired; nothing where nobody counts.
        """
        from las.neurons import kernels

        counting = self.run.counting
        counted = totals(scores.numel(), 10)
        kernels.attend.choose(scores.numel())(
            *memory(scores, *scores.shape),
            sees.allowed,
            sees.ends,
            sees.counted,
            first,
            scale,
            counted,
            self.exp.table(scores.dtype),
            self.reciprocal.table(scores.dtype),
            reader.table(),
            counting,
        )
        if counting:
            batch, heads, asking, _ = scores.shape
            queries = sees.asked(batch, heads, slice(first, first + asking))
            return self.told(reader, [*counted.sum(0).tolist(), queries])
        return NOTHING

    def told(self, reader: OATSite, counted: Sequence[int]) -> Firing:
        """Count what a kernel has counted.

        Arguments:
            reader: the neurons that code the probabilities.
            counted: spikes and out-of-range inputs of the exponentials, and of the reciprocals;
                spikes of the probabilities, their digits, inputs that fire, and out-of-range ones;
                exponentials that the spikes of reciprocals read; pairs of a query and a key that it
                sees; and queries that see any.

        Returns:
            What the probabilities have fired.
        """
        exponentials, inverse, coded = counted[:2], counted[2:4], Firing(*counted[4:7])
        outside, products, pairs, queries = counted[7:]
        self.exp.count(pairs, *exponentials)
        self.reciprocal.count(queries, *inverse)
        reader.count(pairs, coded, outside)
        self.count(self.work(pairs, queries), 2 * exponentials[0] + products)
        return coded

    def simulate(
        self, z: Iterable[Tensor], allowed: Tensor | None, padded: Tensor | None = None
    ) -> Iterator[Tensor]:
        """The step simulator.

        Arguments:
            z: increments z(t) of the scores, T tensors (..., keys).
            allowed: which entries take part, broadcastable to them; None for all.
            padded: see `forward`.

        Yields:
            The increments of the probabilities.
        """
        corrected = accumulate(subtract_running_max(z, allowed))
        corrected = corrected.clamp_max(0)  # but for rounding, none exceeds the largest
        hidden, unasked = self.silent(corrected, padded)
        exponentials = list(self.exp.steps(corrected, hidden))
        inverse = self.reciprocal.steps(
            accumulate(spikes.sum(-1, keepdim=True) for spikes in exponentials), unasked
        )
        yield from multiply_steps(iter(exponentials), inverse, torch.mul)

    def of_rows(self, z: Tensor) -> Tensor:
        """Of scores that are no attention's, on either path: (tokens, n) -> (tokens, n)."""
        scores = z[None, None]  # of tokens and n, as those of queries and keys
        if self.run.simulating:
            return accumulate(self.simulate(iter([scores]), None))[0, 0]
        probabilities: Tensor = self(scores)
        return probabilities[0, 0]

    def silent(self, z: Tensor, padded: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Which scores are hidden from their query, and which queries see none; None if none count.

        Arguments:
            z: (..., keys); masked entries are -inf.
            padded: queries that do not count, as if they saw none, beside known padding.
        """
        if not self.run.counting or self.run.observer is not None:
            return None, None
        peak = z.amax(-1, keepdim=True)
        alone = torch.isneginf(peak)
        if padded is not None:
            alone = alone | padded
        if (known := self.exp.no_activations(peak)) is not None:
            alone = alone | known
        return torch.isneginf(z) | alone, alone


def subtract_running_max(z: Iterable[Tensor], allowed: Tensor | None) -> Iterator[Tensor]:
    """z_hat(t) = z(t) + max(sum of z before t) - max(sum of z up to t), Eqs. 16 and 24.

    Entries that are not allowed take no part in the maximum and go to -inf, which is silence.
    """
    running: Tensor | None = None
    previous: Tensor | None = None
    for arriving in z:
        if allowed is not None:
            arriving = arriving.masked_fill(~allowed, -torch.inf if running is None else 0.0)
        running = arriving if running is None else running + arriving
        peak = running.amax(-1, keepdim=True).nan_to_num(neginf=0.0)
        yield arriving - peak if previous is None else arriving + previous - peak
        previous = peak

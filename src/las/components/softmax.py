"""Spike-equivalent softmax (Eqs. 15-17, Appendix C)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from las.components.saa import multiply_steps
from las.components.site import HGSite, OATSite, accumulate
from las.components.visibility import Visibility
from las.neurons.fused import memory, totals
from las.neurons.tally import current_tally


class SpikingSoftmax(nn.Module):
    """f_exp(z - z_max) o f_inv(sum of f_exp(z - z_max)) over the last dimension.

    Masked entries emit no spike: they are silent neurons, not large negative numbers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.exp = HGSite("exp", token_dim=2)
        self.reciprocal = HGSite("reciprocal", token_dim=2)

    def forward(self, z: Tensor) -> Tensor:
        """Site by site: where no kernel runs, and where activations are observed.

        Arguments:
            z: (..., keys); masked entries are -inf.
        """
        peak = z.amax(-1, keepdim=True).nan_to_num(neginf=0.0)
        exponentials = self.exp(z - peak, hidden_entries(z))
        total = exponentials.value.sum(-1, keepdim=True)
        inverse = self.reciprocal(total)
        if current_tally() is not None:
            kept = torch.count_nonzero(torch.isfinite(z), dim=-1)[..., None]
            sops = 2 * exponentials.spikes + int((inverse.counts * kept).sum())
            self.count(sops, int(kept.sum()), inverse.value.numel())
        # A query that sees no key, such as padding on the left, weighs none.
        return exponentials.value * inverse.value.masked_fill(total == 0, 0.0)

    def code(
        self, scores: Tensor, scale: float, sees: Visibility, first: int, reader: OATSite
    ) -> int:
        """phi(softmax(scale * scores)) with the OAT neurons of its reader, in one kernel, in place.

        Arguments:
            scores: (B, H, queries, keys), contiguous; the coded probabilities afterwards. Keys
                beyond these are hidden from all the queries.
            scale: weight of the scores.
            sees: which keys a query sees, for the same B.
            first: which of all queries comes first in `scores`.
            reader: the neurons that code the probabilities.

        Returns:
            The number of spikes of the probabilities; 0 where nobody counts.
        """
        from las.neurons import kernels

        counted = totals(scores.numel(), 8)
        kernels.attend.choose(scores.numel())(
            *memory(scores, *scores.shape),
            sees.allowed,
            sees.ends,
            first,
            scale,
            counted,
            self.exp.table(scores.dtype),
            self.reciprocal.table(scores.dtype),
            reader.table(),
            current_tally() is not None,
        )
        if current_tally() is not None:
            queries = scores.numel() // scores.shape[-1]
            exponentials, inverse, coded, (products, kept) = counted.sum(0).reshape(4, 2).tolist()
            self.exp.count(kept, *exponentials)
            self.reciprocal.count(queries, *inverse)
            reader.count(kept, *coded)
            self.count(2 * exponentials[0] + products, kept, queries)
            return coded[0]
        return 0

    def count(self, sops: int, kept: int, queries: int) -> None:
        """Add the work of one call to the tally: of `kept` pairs of a query and a key it sees."""
        if (tally := current_tally()) is not None:
            tally.add_operations(
                self.name,
                self.name,
                "softmax",
                sops=sops,
                macs=kept,
                nonlinear={"exp": kept, "reciprocal": queries},
            )

    def simulate(self, z: Iterable[Tensor], allowed: Tensor | None) -> Iterator[Tensor]:
        """The step simulator.

        Arguments:
            z: increments z(t) of the scores, T tensors (..., keys).
            allowed: which entries take part, broadcastable to them; None for all.

        Yields:
            The increments of the probabilities.
        """
        corrected = accumulate(subtract_running_max(z, allowed))
        exponentials = list(self.exp.steps(corrected, hidden_entries(corrected)))
        inverse = self.reciprocal.steps(
            accumulate(spikes.sum(-1, keepdim=True) for spikes in exponentials)
        )
        yield from multiply_steps(iter(exponentials), inverse, torch.mul)


def hidden_entries(z: Tensor) -> int:
    """How many scores a mask hides, i.e. has set to -inf; 0 where nobody counts."""
    return 0 if current_tally() is None else int(torch.isneginf(z).sum())


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

"""Soft-capped attention scores (Gemma 2): HG neurons between two fixed weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from las.components.component import SpikingComponent, Work
from las.components.one_operation import in_one
from las.components.site import HGSite, accumulate
from las.neurons.encoding import total


class SpikingSoftCap(SpikingComponent):
    """c f_tanh(z / c) (Section 4.3): no score exceeds the cap c. Masked scores emit no spike.

    Attributes:
        cap: c.
        site: the neurons.
    """

    equations = "Section 4.3"

    def __init__(self, cap: float) -> None:
        super().__init__()
        self.cap = cap
        self.site = HGSite("tanh")

    def work(self, pairs: int) -> tuple[Work, ...]:
        """One tanh for each pair of a query and a key that it sees."""
        return (Work("activation", nonlinear={"tanh": pairs}, inputs=pairs, outputs=pairs),)

    def forward(self, z: Tensor, allowed: Tensor | None, padded: Tensor | None = None) -> Tensor:
        """The fused path.

        Arguments:
            z: scores, (B, H, L, S).
            allowed: which of them take part, broadcastable to them; None for all.
            padded: which queries are padding, broadcastable to (B, H, L, 1); they do not count.

        Returns:
            (B, H, L, S), anything where not allowed.
        """
        if self.run.observer is not None:  # who looks on sees no score that takes no part
            everywhere = _everywhere(allowed, z)
            observed = self.site(self._potentials(z, everywhere))
            return self._placed(observed.value, z, everywhere)
        silent = None
        if self.run.counting:
            silent = torch.zeros(1, 1, 1, 1, dtype=torch.bool, device=z.device)
            for part in (None if allowed is None else ~allowed, padded):
                silent = silent if part is None else silent | part
        return self.code(z, silent)

    def exact(self, z: Tensor) -> Tensor:
        """What exact neurons would make of the scores z."""
        return self.cap * self.site.exact(z / self.cap)

    def code(self, z: Tensor, silent: Tensor | None) -> Tensor:
        """The fused path on all scores, hidden ones too, whatever becomes of them.

        Arguments:
            z: scores, (B, H, queries, keys).
            silent: which of them are hidden or of padding, and do not count, broadcastable to them;
                None where nobody counts.

        Returns:
            The capped scores.
        """
        potentials = z / self.cap
        value, coded = in_one(self.site, potentials)
        if silent is not None and coded is not None:
            spiked = self.site.told(potentials, coded, silent)
            pairs = z.numel() - total(silent.expand_as(z))
            self.count(self.work(pairs), spiked.spikes)
        return value.mul_(self.cap)

    def told(self, pairs: int, spikes: int, out_of_range: int) -> None:
        """Count what a kernel has counted.

        Arguments:
            pairs: of a query and a key that it sees.
            spikes: of the neurons.
            out_of_range: their inputs beyond the calibrated range.
        """
        self.site.count(pairs, spikes, out_of_range)
        self.count(self.work(pairs), spikes)

    def simulate(
        self, z: Iterable[Tensor], allowed: Tensor | None, padded: Tensor | None = None
    ) -> Iterator[Tensor]:
        """The step simulator.

        Arguments:
            z: increments of the scores, T tensors (B, H, L, S).
            allowed: see `forward`.
            padded: see `forward`.

        Yields:
            The increments of the capped scores.
        """
        scores = accumulate(iter(z))
        allowed = _everywhere(allowed, scores)
        silent = self._silent(scores, allowed, padded)
        for weighted in self.site.steps(self._potentials(scores, allowed), silent):
            yield self._placed(weighted, scores, allowed)

    def _potentials(self, z: Tensor, allowed: Tensor) -> Tensor:
        """What drives the neurons, (1, allowed scores, 1): one token each to who observes them."""
        return (z[allowed] / self.cap)[None, :, None]

    def _silent(self, z: Tensor, allowed: Tensor, padded: Tensor | None) -> Tensor | None:
        """Which of these potentials are those of padding."""
        return None if padded is None else padded.expand_as(z)[allowed][None, :, None]

    def _placed(self, spiked: Tensor, z: Tensor, allowed: Tensor) -> Tensor:
        placed = torch.zeros_like(z)
        placed[allowed] = spiked.flatten() * self.cap
        return placed


def _everywhere(allowed: Tensor | None, z: Tensor) -> Tensor:
    """A mask of the shape of z."""
    if allowed is None:
        return torch.ones_like(z, dtype=torch.bool)
    return allowed.expand_as(z)

"""Spike-equivalent routers that weigh each expert by itself, and choose among groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from las.components.activation import SpikingActivation
from las.components.component import SpikingComponent, Work
from las.components.linear import SpikingProjection
from las.components.saa import multiply_steps
from las.components.site import HGSite, OATSite, accumulate
from las.components.softmax import SpikingSoftmax
from las.neurons.mt import wide

Askers = list[tuple[int, Tensor, Tensor]]
"""See `askers`."""

Scores = Literal["sigmoid", "softmax"]
GroupScore = Literal["sum", "max"]


@dataclass(frozen=True)
class Routing:
    """How a router chooses k experts and weighs them.

    Attributes:
        top_k: k.
        scores: what is made of the potentials.
        groups: how many groups the experts are in; each has as many as the others.
        chosen_groups: from how many of them experts may be chosen.
        group_score: what a group is chosen by: the "sum" of its two largest scores, or the "max".
        normalised: whether the weights of the chosen experts are divided by their sum.
        scale: a fixed weight on them.
        ordered: whether experts come in the order of their scores.
    """

    top_k: int
    scores: Scores
    groups: int = 1
    chosen_groups: int = 1
    group_score: GroupScore = "sum"
    normalised: bool = False
    scale: float = 1.0
    ordered: bool = True

    def choose(self, scores: Tensor) -> Tensor:
        """The k experts of each token, a comparison of potentials: (tokens, experts) -> (., k)."""
        if self.groups > 1:
            grouped = scores.unflatten(-1, (self.groups, -1))
            best = grouped.topk(2, -1).values.sum(-1)
            best = grouped.amax(-1) if self.group_score == "max" else best
            chosen = best.topk(self.chosen_groups, -1).indices
            left = torch.ones_like(best, dtype=torch.bool).scatter(-1, chosen, False)
            scores = grouped.masked_fill(left[..., None], -torch.inf).flatten(-2)
        return scores.topk(self.top_k, -1, sorted=self.ordered).indices

    def weigh(self, scores: Tensor, experts: Tensor) -> Tensor:
        """The weights of the chosen experts, computed exactly: (tokens, experts) -> (tokens, k)."""
        weights = scores.gather(-1, experts)
        if self.normalised:
            weights = weights / weights.sum(-1, keepdim=True)
        return weights * self.scale


class SpikingShares(SpikingComponent):
    """w / sum of w: phi(w) o f_inv(sum of phi(w)) (Eqs. 12, 15)."""

    equations = "Eqs. 12, 15"

    def __init__(self) -> None:
        super().__init__()
        self.input = OATSite(scale_free=True)
        self.reciprocal = HGSite("reciprocal")

    def work(self, w: Sequence[int]) -> tuple[Work, ...]:
        """A product for each weight, and a reciprocal for each token."""
        reciprocals = {"reciprocal": prod(w[:-1])}
        return (
            Work("hadamard", macs=prod(w), nonlinear=reciprocals, inputs=prod(w), outputs=prod(w)),
        )

    def forward(self, w: Tensor) -> Tensor:
        """w: (tokens, k), positive -> (tokens, k)."""
        if self.run.simulating:
            spikes = list(self.input.steps(w))
            inverse = self.reciprocal.steps(accumulate(x.sum(-1, keepdim=True) for x in spikes))
            return accumulate(multiply_steps(iter(spikes), inverse, torch.mul))
        coded = self.input(w)
        inverse = self.reciprocal(coded.value.sum(-1, keepdim=True))
        if self.run.counting:  # the sum and the product read each spike
            read = coded.firing * 2 + inverse.firing * w.shape[-1]
            self.count(self.work(self.input.shape_of(w)), read)
        return coded.value * inverse.value


class SpikingScoredRouter(SpikingProjection):
    """Chooses the k experts of each token by scores of their own, and weighs them by these.

    The choice is a comparison of potentials, as the maximum of Eq. 16 is: of f_sigmoid (Section
    4.3) or of a spiking softmax (Eqs. 15-17), to which a correction may be added that balances the
    load of the experts, a constant current.

    Attributes:
        weight: the very parameter of the module it replaces, (experts, hidden).
        bias: likewise, (experts,) or None.
        routing: how it chooses and weighs.
        corrected_by: the name of the buffer that holds the correction, (experts,), or None.
    """

    equations = "Eqs. 10, 16"

    bias: nn.Parameter | None

    def __init__(
        self,
        weight: nn.Parameter,
        bias: nn.Parameter | None,
        routing: Routing,
        correction: tuple[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.register_parameter("bias", bias)
        self.routing = routing
        self.corrected_by = None if correction is None else correction[0]
        if correction is not None:
            self.register_buffer(*correction)
        self.scores: SpikingSoftmax | SpikingActivation = (
            SpikingSoftmax() if routing.scores == "softmax" else SpikingActivation("sigmoid")
        )
        self.shares = SpikingShares() if routing.normalised else None

    def forward(self, x: Tensor, correction: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Route tokens.

        Arguments:
            x: (..., hidden).
            correction: (experts,), where the router's caller keeps it.

        Returns:
            Potentials (tokens, experts), weights (tokens, k), and experts (tokens, k).
        """
        z = self.project(x.reshape(-1, x.shape[-1]), self.weight, self.bias)
        z = wide(z)
        of = self.scores
        scores: Tensor = of.of_rows(z) if isinstance(of, SpikingSoftmax) else of(z)
        if self.corrected_by is not None:
            correction = self.get_buffer(self.corrected_by)
        experts = self.routing.choose(scores if correction is None else scores + correction)
        weights = scores.gather(-1, experts)
        if self.shares is not None:
            weights = self.shares(weights)
        return z, weights * self.routing.scale, experts


def askers(experts: Tensor, number: int) -> Askers:
    """Who asks each of the experts that anybody asks.

    To know which experts these are, it waits for a GPU once.

    Arguments:
        experts: which answer each token, (tokens, k).
        number: of experts.

    Returns:
        For each expert its number, the tokens that ask it, and among which of their k experts it
        is, (n,) each, in the order of the tokens.

    Raises:
        IndexError: a token asks an expert that is not there.
    """
    asked, order = experts.flatten().sort(stable=True)
    numbers = torch.arange(number + 1, dtype=asked.dtype, device=asked.device)
    bounds = torch.searchsorted(asked, numbers).tolist()
    if bounds[0] > 0 or bounds[-1] < len(asked):
        raise IndexError(f"a router chose an expert that is none of the {number} there are")
    token, place = order // experts.shape[-1], order % experts.shape[-1]
    parts = enumerate(pairwise(bounds))
    return [(expert, token[a:b], place[a:b]) for expert, (a, b) in parts if a < b]


def tokens_of(experts: Tensor) -> Tensor:
    """Which token each pair of a token and one of its experts is of: (tokens, k) -> the same."""
    return torch.arange(len(experts), device=experts.device)[:, None].expand(experts.shape)

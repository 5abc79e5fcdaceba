"""Experts that are modules of their own, in a block that routes (Eqs. 12, 21)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from las.components.component import SpikingComponent, Work
from las.components.routing import askers, tokens_of
from las.components.saa import multiply_steps
from las.components.site import OATSite, accumulate


class SpikingExpertList(SpikingComponent):
    """sum over the experts e of a token of phi(s_e) o phi(E_e(x)); the others do not fire.

    Each expert has neurons of its own. Those that calibration never visited take the thresholds
    of the others.

    They are called "0", "1" and so on, as in a `nn.ModuleList`.
    """

    equations = "Eqs. 12, 21"

    def __init__(self, experts: Iterable[nn.Module]) -> None:
        super().__init__()
        for name, expert in enumerate(experts):
            self.add_module(str(name), expert)
        self.output_site = OATSite()
        self.weight_site = OATSite()

    @property
    def paths(self) -> list[str]:
        """Where the parts of each expert have their paths from, "model.layers.0.experts.7."."""
        return [f"{self.name}.{name}." for name, _ in self.named_children() if name.isdecimal()]

    def work(self, chosen: int, hidden: int) -> tuple[Work, ...]:
        """The weighing; what the experts cost, they say themselves.

        Arguments:
            chosen: pairs of a token and an expert.
            hidden: width of a token.
        """
        weighed = chosen * hidden
        return (Work("hadamard", macs=weighed, inputs=weighed + chosen, outputs=weighed),)

    def forward(self, x: Tensor, experts: Tensor, weights: Tensor) -> Tensor:
        """Let the chosen experts answer.

        Arguments:
            x: (tokens, hidden).
            experts: which answer each token, (tokens, k).
            weights: how much each counts, (tokens, k).

        Returns:
            (tokens, hidden).
        """
        answers = self._ask(x, experts)
        weights = weights[..., None].to(x.dtype)
        with self.output_site.gathered(x, tokens_of(experts)):
            if self.run.simulating:
                trains = self.output_site.steps(answers), self.weight_site.steps(weights)
                return accumulate(multiply_steps(*trains, torch.mul)).sum(-2)
            y, s = self.output_site(answers), self.weight_site(weights)
            if self.run.counting:
                chosen, hidden = self.output_site.shape_of(answers)
                self.count(self.work(chosen, hidden), y.firing + s.firing * hidden)
        return (y.value * s.value).sum(-2)

    def _ask(self, x: Tensor, experts: Tensor) -> Tensor:
        """What the experts of each token make of it, (tokens, k, hidden)."""
        if experts.is_meta:  # where a model is planned, the first one answers for all
            pairs: Tensor = self.get_submodule("0")(x.repeat_interleave(experts.shape[-1], 0))
            return pairs.view(*experts.shape, -1)
        answers = x.new_zeros(*experts.shape, x.shape[-1])
        for expert, token, place in askers(experts, len(self.paths)):
            with self.output_site.gathered(x, token[None]):
                answers[token, place] = self.get_submodule(str(expert))(x[token]).to(x.dtype)
        return answers


class SpikingMixture(SpikingComponent):
    """A block that chooses the experts of each token and adds up their answers.

    Its router and its experts have the names that they had in the block that it replaces.

    Attributes:
        tells_potentials: whether it returns the router's potentials, too.
    """

    equations = "Eqs. 12, 21"

    def __init__(
        self,
        names: tuple[str, str],
        gate: nn.Module,
        experts: SpikingExpertList,
        tells_potentials: bool,
    ) -> None:
        super().__init__()
        self._names = names
        for name, part in zip(names, (gate, experts), strict=True):
            self.add_module(name, part)
        self.tells_potentials = tells_potentials

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """x: (..., hidden) -> the same, and with `tells_potentials` (tokens, experts)."""
        gate, experts = map(self.get_submodule, self._names)
        tokens = x.reshape(-1, x.shape[-1])
        potentials, weights, chosen = gate(tokens)
        answer = experts(tokens, chosen, weights).reshape(x.shape)
        return (answer, potentials) if self.tells_potentials else answer

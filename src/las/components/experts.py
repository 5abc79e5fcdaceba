"""Spike-equivalent mixtures of experts (Eq. 21): what does not run does not fire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from las.components.activation import SpikingActivation
from las.components.component import SpikingComponent, Work
from las.components.linear import SpikingProjection
from las.components.routing import Askers, askers, tokens_of
from las.components.saa import multiply_steps
from las.components.site import OATSite, accumulate
from las.components.softmax import SpikingSoftmax
from las.neurons.mt import wide

Choice = Literal["before", "after"]


class SpikingRouter(SpikingProjection):
    """Chooses the k experts of each token, and how much each of them counts.

    The choice is a comparison of membrane potentials, as the maximum of Eq. 16 is: the k largest
    ones win. The weights are a spiking softmax (Eqs. 15-17), of the potentials of the winners
    alone, or of all of them.

    Attributes:
        weight: the very parameter of the module it replaces, (experts, hidden).
        bias: likewise, (experts,) or None.
        top_k: k.
        choice: whether the choice is made "before" the softmax, which is the same as to normalise
            the weights of the winners afterwards, or "after" it.
    """

    bias: nn.Parameter | None

    def __init__(
        self, weight: nn.Parameter, bias: nn.Parameter | None, top_k: int, choice: Choice
    ) -> None:
        super().__init__()
        self.weight = weight
        self.register_parameter("bias", bias)
        self.top_k = top_k
        self.choice = choice
        self.softmax = SpikingSoftmax()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Route tokens.

        Arguments:
            x: (..., hidden).

        Returns:
            Potentials (tokens, experts), weights (tokens, k), and experts (tokens, k).
        """
        x = x.reshape(-1, x.shape[-1])
        z = self.project(x, self.weight, self.bias)
        if self.choice == "before":
            winners, experts = z.topk(self.top_k, dim=-1)
            return z, self._soften(winners), experts
        weights, experts = self._soften(z).topk(self.top_k, dim=-1)
        return z, weights, experts

    def _soften(self, z: Tensor) -> Tensor:
        return self.softmax.of_rows(wide(z)).to(z.dtype)


@dataclass(frozen=True)
class Stacking:
    """How the weights of all experts lie in one parameter.

    Attributes:
        transposed: whether a weight is (in, out).
        interleaved: whether W_g and W_u take turns, or W_g comes first.
        limit: beyond which their outputs saturate, or None.
        shift: a constant current into the up projection's neurons.
    """

    transposed: bool = False
    interleaved: bool = False
    limit: float | None = None
    shift: float = 0.0


class SpikingExperts(SpikingComponent):
    """sum over the experts e of a token of phi(s_e) o phi(W_d phi(phi(u_e) o g_e)) (Eqs. 12, 21).

    All experts of a layer share their populations of neurons, which take as many inputs as there
    are pairs of a token and an expert: the others neither run nor fire. A token is coded once for
    all of its experts.

    Attributes:
        gate_up_proj: the very parameter of the module it replaces, (experts, 2 intermediate,
            hidden) unless transposed.
        down_proj: likewise, (experts, hidden, intermediate) unless transposed.
        gate_up_proj_bias, down_proj_bias: likewise, or None.
    """

    equations = "Eqs. 12, 21"
    reads = {"": ("input_site", "down_site")}  # noqa: RUF012
    gate_up_proj_bias: nn.Parameter | None
    down_proj_bias: nn.Parameter | None

    def __init__(
        self,
        gate_up_proj: nn.Parameter,
        gate_up_proj_bias: nn.Parameter | None,
        down_proj: nn.Parameter,
        down_proj_bias: nn.Parameter | None,
        act_fn: SpikingActivation,
        stacking: Stacking,
    ) -> None:
        super().__init__()
        self.gate_up_proj = gate_up_proj
        self.register_parameter("gate_up_proj_bias", gate_up_proj_bias)
        self.down_proj = down_proj
        self.register_parameter("down_proj_bias", down_proj_bias)
        self.act_fn = act_fn
        self.stacking = stacking
        self.input_site = OATSite()
        self.up_site = OATSite()
        self.down_site = OATSite()
        self.output_site = OATSite()
        self.weight_site = OATSite()

    def work(self, chosen: int, hidden: int, intermediate: int) -> tuple[Work, ...]:
        """What the experts that run would cost the ANN.

        Arguments:
            chosen: pairs of a token and an expert.
            hidden: width of a token.
            intermediate: width between the projections.
        """
        gated, weighed = chosen * intermediate, chosen * hidden
        return (
            Work(
                "linear",
                macs=3 * chosen * hidden * intermediate,
                inputs=weighed + gated,
                outputs=2 * gated + weighed,
                weights=self.gate_up_proj.numel() + self.down_proj.numel(),
            ),
            Work(
                "hadamard",
                macs=gated,
                nonlinear={self.act_fn.site.function: gated},
                part="gate",
                inputs=2 * gated,
                outputs=gated,
            ),
            Work(
                "hadamard",
                macs=weighed,
                part="weighing",
                inputs=weighed + chosen,
                outputs=weighed,
            ),
        )

    def forward(self, x: Tensor, experts: Tensor, weights: Tensor) -> Tensor:
        """Let the chosen experts answer.

        Arguments:
            x: (tokens, hidden).
            experts: which answer each token, (tokens, k).
            weights: how much each counts, (tokens, k).

        Returns:
            (tokens, hidden).
        """
        if self.run.simulating:
            return self._simulate(x, experts, weights)
        spiked = self.input_site(x, importance=self._seen_of_inputs)
        asked = self._asked(experts)
        gate, up = self._split(self._read(spiked.value, experts, asked, inner=True))
        with self.input_site.gathered(x, tokens_of(experts)):
            g, u = self.act_fn.site(gate), self.up_site(up)
            product = self.down_site(g.value * u.value)
            answers = self._read(product.value, experts, asked, inner=False)
            y, s = self.output_site(answers), self.weight_site(weights[..., None].to(x.dtype))
        if self.run.counting:
            k, (tokens, hidden) = experts.shape[-1], self.input_site.shape_of(x)
            self.count(
                self.work(tokens * k, hidden, up.shape[-1]),
                spiked.firing * (k * 2 * up.shape[-1]) + product.firing * hidden,
                g.firing + u.firing,
                y.firing + s.firing * hidden,
            )
        return (y.value * s.value).sum(-2)

    def _simulate(self, x: Tensor, experts: Tensor, weights: Tensor) -> Tensor:
        """The step simulator."""
        owner = self.input_site.name.startswith(f"{self.name}.")
        asked = self._asked(experts)
        current = accumulate(
            self._read(spikes, experts, asked, inner=True, bias=t == 0)
            for t, spikes in enumerate(self.input_site.steps(x, count=owner))
        )
        gate, up = self._split(current)
        with self.input_site.gathered(x, tokens_of(experts)):
            steps = multiply_steps(self.act_fn.site.steps(gate), self.up_site.steps(up), torch.mul)
            product = accumulate(steps)
            answers = accumulate(
                self._read(spikes, experts, asked, inner=False, bias=t == 0)
                for t, spikes in enumerate(self.down_site.steps(product))
            )
            weighing = self.weight_site.steps(weights[..., None].to(x.dtype))
            weighed = multiply_steps(self.output_site.steps(answers), weighing, torch.mul)
            return accumulate(weighed).sum(-2)

    def _asked(self, experts: Tensor) -> Askers:
        """See `askers`; where a model is planned, nobody knows which experts run."""
        return [] if experts.is_meta else askers(experts, len(self.gate_up_proj))

    def _read(
        self, x: Tensor, experts: Tensor, asked: Askers, inner: bool, bias: bool = True
    ) -> Tensor:
        """What the weights of each expert make of the tokens that chose it.

        Arguments:
            x: (tokens, in), or (tokens, k, in) where each expert reads its own.
            experts: (tokens, k).
            asked: who asks each of them.
            inner: whether W_g and W_u read, or W_d.
            bias: whether their bias is added.

        Returns:
            (tokens, k, out).
        """
        stacked = self.gate_up_proj if inner else self.down_proj
        biases = self.gate_up_proj_bias if inner else self.down_proj_bias
        matrices = stacked.mT if self.stacking.transposed else stacked
        y = x.new_zeros(*experts.shape, matrices.shape[-2])
        for expert, token, place in asked:
            read = x[token] if x.dim() == 2 else x[token, place]
            added = biases[expert] if biases is not None and bias else None
            y[token, place] = F.linear(read, matrices[expert], added)
        return y

    def _split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The potentials that W_g and W_u lead to, (..., intermediate) each."""
        halves = (y[..., ::2], y[..., 1::2]) if self.stacking.interleaved else y.chunk(2, dim=-1)
        gate, up = halves
        if (limit := self.stacking.limit) is not None:
            gate, up = gate.clamp(max=limit), up.clamp(-limit, limit)
        return gate.contiguous(), (up + self.stacking.shift).contiguous()

    def _seen_of_inputs(self) -> Tensor:
        """The squared weights that read each channel of a token, the mean of all experts."""
        matrices = self.gate_up_proj.detach().float()
        matrices = matrices.mT if self.stacking.transposed else matrices
        return matrices.square().sum(-2).mean(0)


class SpikingSharedExpert(SpikingComponent):
    """A mixture of experts beside one that all tokens share, weighed by f_sigmoid (Eqs. 12, 21).

    Attributes:
        gate: the router.
        experts: the mixture.
        shared_expert: the expert of all tokens.
        shared_expert_gate: what tells its weight.
    """

    equations = "Eqs. 11-12"

    def __init__(
        self,
        gate: nn.Module,
        experts: nn.Module,
        shared_expert: nn.Module,
        shared_expert_gate: nn.Module,
    ) -> None:
        super().__init__()
        self.gate = gate
        self.experts = experts
        self.shared_expert = shared_expert
        self.shared_expert_gate = shared_expert_gate
        self.sigmoid = SpikingActivation("sigmoid")
        self.output_site = OATSite()

    def work(self, x: Sequence[int]) -> tuple[Work, ...]:
        """One product for each element of x, and one sigmoid for each token."""
        tokens = prod(x[:-1])
        return (
            Work(
                "hadamard",
                macs=prod(x),
                nonlinear={"sigmoid": tokens},
                inputs=prod(x) + tokens,
                outputs=prod(x),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, L, hidden) -> (B, L, hidden)."""
        tokens = x.reshape(-1, x.shape[-1])
        shared = self.shared_expert(tokens)
        _, weights, chosen = self.gate(tokens)
        answer = self.experts(tokens, chosen, weights)
        potential = self.shared_expert_gate(tokens)
        if self.run.simulating:
            share = self.sigmoid.site.steps(potential)
            weighed = accumulate(multiply_steps(self.output_site.steps(shared), share, torch.mul))
        else:
            share, y = self.sigmoid.site(potential), self.output_site(shared)
            weighed = y.value * share.value
            if self.run.counting:
                read = y.firing + share.firing * x.shape[-1]
                self.count(self.work(self.output_site.shape_of(tokens)), read)
        return (answer + weighed).reshape(x.shape)

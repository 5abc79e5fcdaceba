"""Spike-equivalent gated feed-forward network (Eq. 21, Appendix B).

The plain network of Eq. 13 needs no class of its own: its linear layers and its activation are
replaced one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from las.components.activation import SpikingActivation
from las.components.component import SpikingComponent, Work
from las.components.one_operation import in_one
from las.components.saa import multiply_steps
from las.components.site import OATSite, accumulate
from las.neurons.encoding import NOTHING, Firing, total
from las.neurons.fused import has_kernels, has_triton, memory, rows_of, totals


class SpikingGate(SpikingComponent):
    """f(x) = W_d phi(phi(u) o g), g = f_hat(W_g phi(x)), u = W_u phi(x) (Eq. 21).

    Arguments:
        layers: the linear layers under the names that they have in the module it replaces, which
            keeps the checkpoint's names; the last one is W_d.
        act_fn: f_hat.
    """

    equations = "Eq. 21"

    def __init__(self, layers: dict[str, nn.Module], act_fn: SpikingActivation) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self._names = tuple(layers)
        self.act_fn = act_fn
        self.up_site = OATSite()

    @property
    def layers(self) -> list[Any]:
        """The linear layers."""
        return [getattr(self, name) for name in self._names]

    def work(self, gate: Sequence[int]) -> tuple[Work, ...]:
        """A function and a product for each element of the gate, (..., intermediate)."""
        count = prod(gate)
        evaluations = {self.act_fn.site.function: count}
        return (
            Work("hadamard", macs=count, nonlinear=evaluations, inputs=2 * count, outputs=count),
        )

    def currents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """W_g phi(x) and W_u phi(x), (..., intermediate) each."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., hidden) -> (..., hidden)."""
        gate, up = self.currents(x)
        if self.run.simulating:
            steps = multiply_steps(self.act_fn.site.steps(gate), self.up_site.steps(up), torch.mul)
            return self._down(accumulate(steps))
        if self.run.observer is None and (has_kernels(gate) or has_triton(gate)):
            product, told = in_one(self, gate, up)
            fired = NOTHING if told is None else told
        else:
            g, u = self.act_fn.site(gate), self.up_site(up)
            product, fired = g.value * u.value, g.firing + u.firing
        if self.run.counting:
            self.count(self.work(self.up_site.shape_of(gate)), fired)
        return self._down(product)

    def _down(self, product: Tensor) -> Tensor:
        """W_d phi(product); T5 keeps this weight in float32 where its others are in float16."""
        layer = self.layers[-1]
        return layer(product.to(layer.weight.dtype))

    def exact(self, gate: Tensor, up: Tensor) -> Tensor:
        """The product with exact neurons."""
        return self.act_fn.site.exact(gate) * up

    def like(self, gate: Tensor, up: Tensor) -> Tensor:
        """An empty tensor like the product."""
        return torch.empty_like(gate, memory_format=torch.contiguous_format)

    def fused(self, gate: Tensor, up: Tensor) -> tuple[Tensor, Firing]:
        """The product and what has fired for it, in one kernel."""
        gate, up = gate.detach().contiguous(), up.detach().contiguous()
        product, figures = (self._on_gpu if has_triton(gate) else self._on_cpu)(gate, up)
        if not figures:  # nobody counts
            return product, NOTHING
        spikes, functions_out, *fired, neurons_out = figures
        functions, neurons = Firing.plain(spikes), Firing(*fired)
        activations = prod(self.up_site.shape_of(up))
        self.act_fn.site.count(activations, functions, functions_out)
        self.up_site.count(activations, neurons, neurons_out)
        return product, functions + neurons

    def _on_cpu(self, gate: Tensor, up: Tensor) -> tuple[Tensor, list[int]]:
        """The product, and what a kernel has counted of the functions and of the others."""
        from las.neurons import kernels

        counting = self.run.counting
        product = torch.empty_like(gate)
        counted = totals(gate.numel(), 6)
        kernels.gate.choose(gate.numel())(
            *memory(gate),
            *memory(up),
            product.view(-1).numpy(),
            counted,
            rows_of(self.up_site.padding(up) if counting else None, up.shape[:-1]),
            self.act_fn.site.table(gate.dtype),
            self.up_site.table(),
            counting,
        )
        return product, counted.sum(0).tolist() if counting else []

    def _on_gpu(self, gate: Tensor, up: Tensor) -> tuple[Tensor, list[int]]:
        """See `_on_cpu`."""
        from las.neurons import gpu

        counting = self.run.counting
        product, counted = gpu.gate(
            *(gate, up),
            (self.act_fn.site.fitted(), self.up_site.calibrated()),
            self.up_site.padding(up) if counting else None,
            counting,
            self.run.stop,
        )
        return product, [total(number) for number in counted] if counting else []


class SpikingGatedFeedForward(SpikingGate):
    """Its two inner projections are two layers, W_g and W_u, as in Llama and T5 (Eq. 21)."""

    def currents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `SpikingGate`."""
        gate, up, _ = self.layers
        return gate(x), up(x)


class SpikingJointFeedForward(SpikingGate):
    """Its two inner projections are the halves of one layer, as in Phi-3 (Eq. 21)."""

    def currents(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `SpikingGate`."""
        both, _ = self.layers
        gate, up = both(x).chunk(2, dim=-1)
        return gate, up

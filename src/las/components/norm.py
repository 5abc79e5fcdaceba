"""Spike-equivalent LayerNorm (Eq. 14) and RMSNorm (the same without the mean)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from las.components.component import SpikingComponent, Work
from las.components.one_operation import in_one
from las.components.saa import multiply_steps
from las.components.site import HGSite, OATSite, accumulate
from las.neurons.encoding import Firing, total
from las.neurons.fused import has_kernels, has_triton, memory, rows_of, totals
from las.neurons.mt import wide
from las.neurons.slower import say_slower

WIDEST = 2**14
"""Channels of a token that one kernel on a GPU normalises at most."""

_HALF = (torch.float16, torch.bfloat16)


class SpikingNorm(SpikingComponent):
    """gamma * phi(phi(x - mu) o f_InvSqrt(sigma^2 + eps)) + beta.

    mu and the mean of the squares are fixed weights 1/n on arriving currents; the squares come
    from HG neurons, their sum drives one HG neuron per token for the inverse square root.

    Attributes:
        weight: gamma - offset, (n,), (heads, n) or None.
        bias: beta, (n,) or None.
        offset: what gamma exceeds the weight by: 1 in Gemma.
        eps: epsilon.
        centred: subtract the mean (LayerNorm) or not (RMSNorm).
    """

    equations = "Eq. 14"

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        weight: nn.Parameter | None,
        bias: nn.Parameter | None,
        eps: float,
        centred: bool,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_parameter("weight", weight)
        self.register_parameter("bias", bias)
        self.eps = eps
        self.centred = centred
        self.offset = offset
        self.input = OATSite(scale_free=True)
        self.square = HGSite("square")
        self.inverse_sqrt = HGSite("inverse_sqrt")
        self.output = OATSite()

    def work(self, x: Sequence[int]) -> tuple[Work, ...]:
        """A square and two products for each element of x, (..., n), and a root for each token."""
        return (
            Work(
                "norm",
                macs=3 * prod(x),
                nonlinear={"sqrt": prod(x[:-1])},
                inputs=prod(x),
                outputs=prod(x),
                weights=0 if self.weight is None else self.weight.numel(),
            ),
        )

    @property
    def gamma(self) -> Tensor | None:
        """The fixed weights on the output, (n,) or None."""
        return self.weight + self.offset if self.weight is not None and self.offset else self.weight

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., n) -> (..., n), of the weight's precision if that is half of x's, as in T5."""
        dtype = (
            x.dtype if self.weight is None or self.weight.dtype not in _HALF else self.weight.dtype
        )
        spikes_at_once = not self.run.simulating and self.run.observer is None
        if spikes_at_once and has_triton(x):
            if x.shape[-1] <= WIDEST:
                return self._in_one(x.contiguous()).to(dtype)
            say_slower(
                "wide norms",
                f"norms of {x.shape[-1]} channels take a kernel for each of their populations of "
                f"neurons: one for all of them holds a token of {WIDEST} channels at most",
            )
        x = wide(x).contiguous()
        if spikes_at_once and has_kernels(x):
            return self._in_one(x).to(dtype)
        if self.centred:
            x = x - x.mean(-1, keepdim=True)
        y = self._simulate(x) if self.run.simulating else self._composed(x)
        return self._weighed(y).to(dtype)

    def _weighed(self, y: Tensor) -> Tensor:
        """gamma y + beta."""
        if (gamma := self.gamma) is not None:
            y = y * gamma.to(y.dtype)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def _in_one(self, x: Tensor) -> Tensor:
        """All of it in one kernel, but for weights that differ from head to head."""
        if self.weight is not None and self.weight.dim() > 1:
            return self._weighed(in_one(self, x, None, None)[0])
        return in_one(self, x, self.gamma, self.bias)[0]

    def exact(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """The norm with exact neurons; arguments as for `fused`."""
        z = wide(x)
        z = z - z.mean(-1, keepdim=True) if self.centred else z
        y = z * (z.square().mean(-1, keepdim=True) + self.eps).rsqrt()
        y = y if gamma is None else y * gamma.to(y.dtype)
        return (y if beta is None else y + beta.to(y.dtype)).to(x.dtype)

    def like(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """An empty tensor like the norm."""
        return torch.empty_like(x)

    def fused(self, x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> tuple[Tensor, None]:
        """The norm in one kernel.

        Arguments:
            x: (..., n), contiguous.
            gamma: (n,) or None.
            beta: (n,) or None.
        """
        x = x.detach()
        y, figures = (self._on_gpu if has_triton(x) else self._on_cpu)(x, gamma, beta)
        if figures:  # somebody counts
            tokens, width = self.input.shape_of(x)
            squares, inverse = Firing.plain(figures[0]), Firing.plain(figures[2])
            before, after = Firing(*figures[4:7]), Firing(*figures[8:11])
            self.square.count(tokens * width, squares, figures[1])
            self.inverse_sqrt.count(tokens, inverse, figures[3])
            self.input.count(tokens * width, before, figures[7])
            self.output.count(tokens * width, after, figures[11])
            self._count(x, squares, inverse, before, after)
        return y, None

    def _on_cpu(
        self, x: Tensor, gamma: Tensor | None, beta: Tensor | None
    ) -> tuple[Tensor, list[int]]:
        """The norm, and what a kernel has counted of its four populations."""
        from las.neurons import kernels

        affine = [
            (x.new_empty(0) if part is None else part.detach().to(x.dtype)).numpy()
            for part in (gamma, beta)
        ]
        counting = self.run.counting
        y = torch.empty_like(x)
        width = x.shape[-1]
        tokens = x.numel() // width
        counted = totals(x.numel(), 12)
        kernels.normalise.choose(x.numel())(
            *memory(x, tokens, width),
            y.view(tokens, width).numpy(),
            *affine,
            self.eps,
            self.centred,
            counted,
            rows_of(self.input.padding(x) if counting else None, x.shape[:-1]),
            self.square.table(x.dtype),
            self.inverse_sqrt.table(x.dtype),
            self.input.table(),
            self.output.table(),
            counting,
        )
        return y, counted.sum(0).tolist() if counting else []

    def _on_gpu(
        self, x: Tensor, gamma: Tensor | None, beta: Tensor | None
    ) -> tuple[Tensor, list[int]]:
        """See `_on_cpu`."""
        from las.neurons.gpu import normalise

        functions = self.square.fitted(), self.inverse_sqrt.fitted()
        coders = self.input.calibrated(), self.output.calibrated()
        counting = self.run.counting
        padding = self.input.padding(x) if counting else None
        y, counted = normalise(
            *(x, gamma, beta, self.eps, self.centred),
            (*functions, *coders),
            padding,
            counting,
            self.run.stop,
        )
        return y, [total(number) for number in counted] if counting else []

    def _composed(self, x: Tensor) -> Tensor:
        """Site by site: where no kernel runs, and where activations are observed."""
        squares = self.square(x)
        mean_square = squares.value.mean(-1, keepdim=True)
        inverse = self.inverse_sqrt(mean_square + self.eps)
        spiked = self.input(x)
        output = self.output(spiked.value * inverse.value)
        self._count(x, squares.firing, inverse.firing, spiked.firing, output.firing)
        return output.value

    def _count(
        self, x: Tensor, squares: Firing, inverse: Firing, before: Firing, after: Firing
    ) -> None:
        """Add the work of one call to the tally: what the four populations have fired comes in."""
        if self.run.counting:
            caused = squares + before + inverse * x.shape[-1] + after
            self.count(self.work(self.input.shape_of(x)), caused)

    def _simulate(self, x: Tensor) -> Tensor:
        mean_square: Tensor | None = None
        for weighted in self.square.steps(x):
            arriving = weighted.mean(-1, keepdim=True)
            mean_square = arriving if mean_square is None else mean_square + arriving
        assert mean_square is not None
        inverse = self.inverse_sqrt.steps(mean_square + self.eps)
        product = multiply_steps(self.input.steps(x), inverse, torch.mul)
        return accumulate(self.output.steps(accumulate(product)))

    def extra_repr(self) -> str:
        """What distinguishes it."""
        offset = f", offset={self.offset}" if self.offset else ""
        return f"eps={self.eps}, centred={self.centred}{offset}"

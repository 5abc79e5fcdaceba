"""Spike Activation-Weight multiplication (Eq. 10): linear layers that read spikes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn
from torch.nn import functional as F

from las.components.component import SpikingComponent, Work
from las.components.site import OATSite


class SpikingProjection(SpikingComponent):
    """W x = sum over t of W theta(t) X_s(t) (Eq. 10), of a weight that its caller holds.

    Attributes:
        site: the neurons that code the input; shared by all layers that read the same tensor.
    """

    equations = "Eq. 10"

    def __init__(self) -> None:
        super().__init__()
        self.site = OATSite()

    def work(self, x: Sequence[int], outputs: int) -> tuple[Work, ...]:
        """Each element of x is read once for each output.

        Arguments:
            x: shape of the input.
            outputs: out_features.
        """
        return (
            Work(
                "linear",
                macs=prod(x) * outputs,
                inputs=prod(x),
                outputs=prod(x[:-1]) * outputs,
                weights=x[-1] * outputs,
            ),
        )

    def project(self, x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
        """Read the spikes of x.

        Arguments:
            x: (..., in_features).
            matrix: (out_features, in_features).
            bias: (out_features,) or None.

        Returns:
            (..., out_features).
        """
        if self.run.simulating:
            return self._simulate(x, matrix, bias)
        spiked = self.site(x, importance=lambda: matrix.detach().float().square().sum(0))
        if self.run.counting:
            self.count(self.work(self.site.shape_of(x), len(matrix)), spiked.firing * len(matrix))
        return F.linear(spiked.value, matrix, bias)

    def _simulate(self, x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
        """The step simulator: one dense product for each time step.

        At each of them about a quarter of the neurons fire, and nearly every column of the weight
        has some token that fires, so that to gather the active columns takes longer than it saves.
        """
        owner = self.site.name.startswith(f"{self.name}.")
        rows = x.reshape(-1, x.shape[-1])
        current = x.new_zeros(len(rows), len(matrix))
        for weighted in self.site.steps(rows, count=owner):
            current.addmm_(weighted, matrix.T)
        if bias is not None:
            current += bias
        return current.view(*x.shape[:-1], len(matrix))


class SpikingLinear(SpikingProjection):
    """A linear layer that reads spikes (Eq. 10), with an OAT population before it.

    The weight and the bias are the very parameters of the layer it replaces, so that tied weights
    stay tied.

    Attributes:
        weight: (out_features, in_features); transposed for GPT-2's Conv1D.
        bias: (out_features,) or None.
    """

    bias: nn.Parameter | None

    def __init__(
        self, weight: nn.Parameter, bias: nn.Parameter | None, transposed: bool = False
    ) -> None:
        super().__init__()
        self.weight = weight
        self.register_parameter("bias", bias)
        self.transposed = transposed

    @property
    def matrix(self) -> Tensor:
        """The weight as (out_features, in_features)."""
        return self.weight.T if self.transposed else self.weight

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in_features) -> (..., out_features)."""
        return self.project(x, self.matrix, self.bias)

    def extra_repr(self) -> str:
        """Shape, as torch prints it."""
        out_features, in_features = self.matrix.shape
        return f"in_features={in_features}, out_features={out_features}"


def spiking_linear(linear: nn.Module) -> SpikingLinear:
    """The spike-equivalent of `nn.Linear` or GPT-2's `Conv1D`."""
    weight, bias = linear.weight, linear.bias
    assert isinstance(weight, nn.Parameter)
    assert bias is None or isinstance(bias, nn.Parameter)
    return SpikingLinear(weight, bias, transposed=not isinstance(linear, nn.Linear))

"""Convolutions that read spikes, e.g. patch embeddings: linear layers with shared weights."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from las.components.component import SpikingComponent, Work
from las.components.site import OATSite, accumulate
from las.errors import UnsupportedModelError
from las.neurons.encoding import NOTHING, Firing, total

_CONVOLVE: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class SpikingConvolution(SpikingComponent):
    """W * x = sum over t of W * theta(t) X_s(t) (Eq. 10), with an OAT population before it.

    Where it is the first layer, as patch embeddings are, pixels are the input currents of its
    neurons. Every input is coded once, however many outputs read it.

    Attributes:
        weight: the very parameter of the layer it replaces, (out, in / groups, *kernel).
        bias: likewise, (out,) or None.
        site: the neurons that code the input.
    """

    equations = "Eq. 10"

    bias: nn.Parameter | None

    def __init__(
        self,
        weight: nn.Parameter,
        bias: nn.Parameter | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...] | str,
        dilation: tuple[int, ...],
        groups: int,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.register_parameter("bias", bias)
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.site = OATSite()

    def work(self, x: Sequence[int], y: Sequence[int]) -> tuple[Work, ...]:
        """Each output reads one kernel's worth of inputs.

        Arguments:
            x: shape of the input, (B, in, *space).
            y: shape of the output, (B, out, *space).
        """
        return (
            Work(
                "linear",
                macs=prod(y) * self.weight[0].numel(),
                inputs=prod(x),
                outputs=prod(y),
                weights=self.weight.numel(),
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, in, *space) -> (B, out, *space), of one to three dimensions."""
        if self.run.simulating:
            trains = self.site.steps(x.movedim(1, -1))
            y = accumulate(self._convolve(spikes.movedim(-1, 1), self.weight) for spikes in trains)
            return y if self.bias is None else y + self.bias.view(-1, *(1,) * (x.dim() - 2))
        spiked = self.site(x.movedim(1, -1), importance=self._seen_of_channels)
        y = self._convolve(spiked.value.movedim(-1, 1), self.weight, self.bias)
        if self.run.counting:
            fired = NOTHING
            if spiked.packed is not None:
                fired = Firing.of(spiked.packed.movedim(-1, 1), self._reads)
            self.count(self.work(x.shape, y.shape), fired)
        return y

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        convolve = _CONVOLVE[x.dim() - 2]
        y: Tensor = convolve(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        return y

    def _seen_of_channels(self) -> Tensor:
        """The squared weights that read an input of each channel, (in,)."""
        squares = self.weight.detach().float().square().unflatten(0, (self.groups, -1))
        return squares.sum(1).flatten(2).sum(-1).flatten()

    def _reads(self, counts: Tensor) -> int:
        """How many outputs read how many spikes: a convolution with ones.

        Arguments:
            counts: spikes of each input, or the like, (B, in, *space).
        """
        ones = torch.ones_like(self.weight[: self.groups], dtype=torch.float64)
        outputs = len(self.weight) // self.groups  # that read the same inputs
        return total(self._convolve(counts.double(), ones)) * outputs

    def extra_repr(self) -> str:
        """Shape, as torch prints it."""
        outputs, inputs, *kernel = self.weight.shape
        return f"{inputs * self.groups}, {outputs}, kernel_size={tuple(kernel)}"


def spiking_convolution(convolution: Any) -> SpikingConvolution:
    """The spike-equivalent of `nn.Conv1d`, `nn.Conv2d` and `nn.Conv3d`.

    Raises:
        UnsupportedModelError: the input is padded with something else than zeros.
    """
    if convolution.padding_mode != "zeros":
        raise UnsupportedModelError(
            f"{type(convolution).__name__} pads with {convolution.padding_mode!r}, which has no "
            "spike-equivalent: only zeros, which are silence, do"
        )
    return SpikingConvolution(
        convolution.weight,
        convolution.bias,
        convolution.stride,
        convolution.padding,
        convolution.dilation,
        convolution.groups,
    )

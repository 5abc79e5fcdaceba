"""Neuron sites: the places of a model where a population of neurons turns a tensor into spikes."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from las.components.modes import observer, stopped
from las.errors import CalibrationError
from las.fitting.functions import FUNCTIONS
from las.neurons import hg, oat
from las.neurons.encoding import SpikeEncoding
from las.neurons.fused import code_hg, code_oat
from las.neurons.hg import HG
from las.neurons.oat import OAT
from las.neurons.tables import HGTable, OATTable, hg_table, oat_table
from las.neurons.tally import current_tally

_Shared = tuple[weakref.ref[Tensor], tuple[int, int | None], SpikeEncoding, int]


def version_of(x: Tensor) -> tuple[int, int | None]:
    """What a tensor's spikes depend on beside the tensor: they are shared while this is the same.

    Returns:
        How often it was changed in place (under `torch.inference_mode` nobody keeps count), and
        after how many time steps neurons stop.
    """
    return 0 if x.is_inference() else x._version, stopped()


class OATSite(nn.Module):
    """phi: a population of OAT neurons, one for each element of a tensor.

    Attributes:
        name: module path of the site, set by the conversion.
        neuron: its parameters; None until calibrated.
        fan_out: how many components read the same tensor. Their common input is coded once.
        scale_free: whether the consumer sees errors relative to the size of the whole token.
        token_dim: which dimension of the input counts tokens.
        of_encoder: whether its tokens are the encoder's, though it is a part of the decoder.
        channel_weights: importance of each channel's squared error to the consumer, (channels,),
            only during calibration.
    """

    def __init__(self, scale_free: bool = False, token_dim: int = 1) -> None:
        super().__init__()
        self.name = ""
        self.neuron: OAT | None = None
        self.fan_out = 1
        self.scale_free = scale_free
        self.token_dim = token_dim
        self.of_encoder = False
        self.channel_weights: Tensor | None = None
        self._shared: (
            tuple[weakref.ref[Tensor], tuple[int, int | None], SpikeEncoding, int] | None
        ) = None

    def forward(self, x: Tensor, hidden: int = 0) -> SpikeEncoding:
        """The fused path.

        Arguments:
            x: input, any shape.
            hidden: how many entries a mask hides; they are no activations.
        """
        if (watch := observer()) is not None:
            watch.observe(self, x)
            return SpikeEncoding(x)
        if self.fan_out > 1 and (known := self._recall(x)) is not None:
            return known
        tally = current_tally()
        coded = code_oat(x, self.calibrated(), tally is not None, stopped())
        if tally is not None:
            self.count(x.numel() - hidden, coded.spikes, coded.out_of_range)
        if self.fan_out > 1:
            self._shared = (weakref.ref(x), version_of(x), coded, self.fan_out - 1)
        return coded

    def steps(self, x: Tensor, count: bool = True, hidden: int = 0) -> Iterator[Tensor]:
        """The step simulator: the weighted spikes theta(t) X_s(t) of t = 1 .. T.

        Arguments:
            x: input, any shape.
            count: whether these spikes count; those of a shared population count once.
            hidden: see `forward`.
        """
        neuron = self.calibrated()
        train = islice(oat.spike_train(x, neuron), stopped())
        outside = oat.out_of_range(x, neuron)
        return _counted_steps(self, outside, train, hidden) if count else train

    def table(self) -> OATTable:
        """The neuron as the kernels read it."""
        return oat_table(self.calibrated(), stopped())

    def _recall(self, x: Tensor) -> SpikeEncoding | None:
        """The spikes of x if another reader of the same tensor has just coded it."""
        if self._shared is None:
            return None
        source, version, coded, readers = self._shared
        uncounted = current_tally() is not None and coded.counts is None
        if source() is not x or version != version_of(x) or uncounted:
            self._shared = None
            return None
        self._shared = (source, version, coded, readers - 1) if readers > 1 else None
        return coded

    def calibrated(self) -> OAT:
        """The neuron, or a CalibrationError if there is none yet."""
        if self.neuron is None:
            raise CalibrationError(f"neurons at {self.name} have no thresholds: calibrate first")
        return self.neuron

    def count(self, activations: int, spikes: int, out_of_range: int) -> None:
        """Add one call to the tally, if there is one."""
        if (tally := current_tally()) is not None:
            steps = stopped() or self.calibrated().time_steps
            tally.add_spikes(self.name, "oat", steps, activations, spikes, out_of_range)


class HGSite(nn.Module):
    """f_hat: a population of HG neurons that approximates one unary function.

    Attributes:
        function: name of the function, a key of `FUNCTIONS`.
        token_dim: which dimension of the input counts tokens.
        name: module path of the site, set by the conversion.
        neuron: its parameters, shared by all sites of a function; None until fitted.
    """

    def __init__(self, function: str, token_dim: int = 1) -> None:
        super().__init__()
        self.function = function
        self.token_dim = token_dim
        self.name = ""
        self.neuron: HG | None = None

    def forward(self, x: Tensor, hidden: int = 0) -> SpikeEncoding:
        """The fused path, f_hat(x); arguments as for `OATSite`."""
        if (watch := observer()) is not None:
            watch.observe(self, x)
            return SpikeEncoding(FUNCTIONS[self.function].evaluate(x))
        tally = current_tally()
        coded = code_hg(x, self.fitted(), tally is not None, stopped())
        if tally is not None:
            self.count(x.numel() - hidden, coded.spikes, coded.out_of_range)
        return coded

    def steps(self, x: Tensor, hidden: int = 0) -> Iterator[Tensor]:
        """The step simulator: the weighted spikes d(t) s(t) of t = 1 .. T."""
        neuron = self.fitted()
        train = islice(hg.spike_train(x, neuron), stopped())
        return _counted_steps(self, hg.out_of_range(x, neuron), train, hidden)

    def table(self, dtype: torch.dtype) -> HGTable:
        """The neuron as the kernels for inputs of a dtype read it."""
        return hg_table(self.fitted(), dtype, stopped())

    def fitted(self) -> HG:
        """The neuron, or a CalibrationError if there is none yet."""
        if self.neuron is None:
            raise CalibrationError(f"the HG neurons at {self.name} are not fitted: calibrate first")
        return self.neuron

    def count(self, activations: int, spikes: int, out_of_range: int) -> None:
        """Add one call to the tally, if there is one."""
        if (tally := current_tally()) is not None:
            steps, kind = stopped() or self.fitted().time_steps, f"hg:{self.function}"
            tally.add_spikes(self.name, kind, steps, activations, spikes, out_of_range)


def _counted_steps(
    site: OATSite | HGSite, outside: Tensor, train: Iterator[Tensor], hidden: int
) -> Iterator[Tensor]:
    """Pass a spike train on and count its spikes and out-of-range inputs."""
    counts = current_tally() is not None
    spikes = 0
    for weighted in train:
        if counts:
            spikes += int(torch.count_nonzero(weighted))
        yield weighted
    if counts:
        site.count(outside.numel() - hidden, spikes, int(outside.sum()))


def accumulate(train: Iterator[Tensor]) -> Tensor:
    """What a spike train adds up to."""
    total: Tensor | None = None
    for weighted in train:
        total = weighted if total is None else total + weighted
    if total is None:
        raise ValueError("a spike train needs at least one time step")
    return total

"""Neuron sites: the places of a model where a population of neurons turns a tensor into spikes."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from las.components.component import SpikingModule
from las.components.one_operation import in_one, without_gradient
from las.components.padding import TokenMasks
from las.components.run_state import Observer
from las.errors import CalibrationError
from las.fitting.functions import FUNCTIONS
from las.neurons import hg, oat
from las.neurons.encoding import Firing, SpikeEncoding, digits_of, total
from las.neurons.fused import code_hg, code_oat, fired_by_rows, without_rows
from las.neurons.hg import HG
from las.neurons.oat import OAT
from las.neurons.tables import HGTable, OATTable, hg_table, oat_table


def version_of(x: Tensor) -> int:
    """How often a tensor was changed in place; under `torch.inference_mode` nobody keeps count."""
    return 0 if x.is_inference() else x._version


class Site(SpikingModule):
    """A population of neurons, one for each element of a tensor.

    Attributes:
        token_dim: which dimension of the input counts tokens.
    """

    def __init__(self, token_dim: int) -> None:
        super().__init__()
        self.token_dim = token_dim

    @property
    def kind(self) -> str:
        """As its spikes are counted: "oat" or "hg:<function>"."""
        raise NotImplementedError

    @property
    def time_steps(self) -> int:
        """T of its neurons, or a CalibrationError if they have no parameters yet."""
        raise NotImplementedError

    @property
    def levels(self) -> int:
        """H of its neurons; 1 for HG neurons."""
        return 1

    @property
    def bands(self) -> int:
        """How many neurons there are for different magnitudes; 1 for HG neurons."""
        return 1

    def count(self, activations: int, fired: Firing | int, out_of_range: int) -> None:
        """Add one call to what is being counted."""
        if self.run.counting:
            stop, own = self.run.stop, self.time_steps
            steps = own if stop is None else min(stop, own)
            counted = activations, fired, out_of_range, self.levels, self.bands
            self.run.add_spikes(self.name, self.kind, steps, *counted)

    def packed(self, x: Tensor, t: int, weighted: Tensor) -> Tensor:
        """What neurons fire at one time step (see `SpikeEncoding.packed`).

        Arguments:
            x: their inputs.
            t: the time step, 1 to T.
            weighted: their weighted spikes, the shape of x.
        """
        return 257 * (weighted.abs() > 0).to(torch.int16)

    def fused(self, x: Tensor) -> tuple[Tensor, SpikeEncoding]:
        """What the T time steps come to, and the spikes."""
        raise NotImplementedError

    def exact(self, x: Tensor) -> Tensor:
        """What exact neurons would make of x."""
        raise NotImplementedError

    def like(self, x: Tensor) -> Tensor:
        """An empty tensor like the value."""
        return torch.empty_like(x, memory_format=torch.contiguous_format)

    def outside(self, x: Tensor) -> Tensor:
        """Which inputs are out of range."""
        raise NotImplementedError

    def padding(self, x: Tensor) -> Tensor | None:
        """Which tokens of x are known padding; None for none. See `TokenMasks.padding_of`."""
        masks = self.run.masks
        return None if masks is None else masks.padding_of(self, x)

    def gathered(self, x: Tensor, token: Tensor) -> AbstractContextManager[None]:
        """A block for sites that read the tokens of x in another order, which know no padding.

        Arguments:
            x: (tokens, channels).
            token: which token each vector is that they read, (a, b).
        """
        if not self.run.counting:
            return nullcontext()
        padding = self.padding(x)
        return self.run.within(TokenMasks(keep=None if padding is None else ~padding[token]))

    def shape_of(self, x: Tensor) -> tuple[int, int]:
        """How many vectors of x are no padding, and their width: what costs anything."""
        vectors = x.shape[:-1].numel()
        if (padding := self.padding(x)) is not None:
            vectors -= total(padding)
        return vectors, x.shape[-1]

    def no_activations(self, x: Tensor, silent: Tensor | None = None) -> Tensor | None:
        """Which entries of x are no activations of neurons, broadcastable to x; None for none.

        Arguments:
            x: input, any shape.
            silent: entries that a mask hides, broadcastable to x.
        """
        if (padding := self.padding(x)) is not None:
            padding = padding[..., None]
            silent = padding if silent is None else silent | padding
        return silent

    def told(self, x: Tensor, coded: SpikeEncoding, silent: Tensor | None) -> SpikeEncoding:
        """Count one call: the spikes of x without those of entries that are no activations.

        Arguments:
            x: input, any shape.
            coded: its spikes.
            silent: which entries are no activations, broadcastable to x; None for none.

        Returns:
            The spikes that count.
        """
        activations = x.numel()
        if silent is not None and coded.packed is not None:
            activations -= total(silent) * (x.numel() // max(silent.numel(), 1))
            coded = self._without(x, coded.packed, silent, coded)
        self.count(activations, coded.firing, coded.out_of_range)
        return coded

    def _without(
        self, x: Tensor, packed: Tensor, silent: Tensor, coded: SpikeEncoding
    ) -> SpikeEncoding:
        """The spikes of x but for those of silent entries; see `told`."""
        if silent.shape[-1] == 1:
            packed, rows = without_rows(packed, silent[..., 0].expand(x.shape[:-1]))
        else:
            packed = packed.masked_fill(silent, 0)
            rows = fired_by_rows(packed)
        outside = coded.out_of_range
        if not isinstance(outside, int) or outside:
            outside = total(self.outside(x) & ~silent)
        return replace(
            coded, packed=packed, firing=self.fired(rows), out_of_range=outside, rows=rows
        )

    def _recorded(
        self, x: Tensor, train: Iterator[Tensor], silent: Tensor | None
    ) -> Iterator[Tensor]:
        """Show a spike train of x to those who record."""
        for recorder in self.run.recorders:
            train = recorder.told(self, x, train, silent)
        return train

    def _observed(
        self, observer: Observer, x: Tensor, importance: Callable[[], Tensor] | None = None
    ) -> Tensor:
        """What an observer passes on; no attention module around it answers for what it does."""
        with torch._C.DisableTorchFunction():
            return observer.observe(self, x, importance)

    def _code(self, x: Tensor) -> SpikeEncoding:
        """The fused path, with a gradient where one is wanted."""
        value, coded = in_one(self, x)
        if coded is None:
            return SpikeEncoding(value)
        spikes: SpikeEncoding = coded
        return spikes if spikes.value is value else replace(spikes, value=value)

    def _counted(
        self, x: Tensor, train: Iterator[Tensor], silent: Tensor | None
    ) -> Iterator[Tensor]:
        """Pass a spike train of x on and count its spikes and out-of-range inputs."""
        counts = self.run.counting
        packed = torch.zeros(x.shape, dtype=torch.int16, device=x.device) if counts else None
        for t, weighted in enumerate(train, 1):
            if packed is not None:
                packed += self.packed(x, t, weighted)
            yield without_gradient(weighted, x)
        if packed is not None:
            fired = self.fired(fired_by_rows(packed))
            coded = SpikeEncoding(x, packed, fired, total(self.outside(x)))
            self.told(x, coded, self.no_activations(x, silent))

    def fired(self, rows: Sequence[Tensor]) -> Firing:
        """What some of its neurons have fired, from what `fired_by_rows` says of them."""
        return Firing(*map(total, rows))


class OATSite(Site):
    """phi: a population of OAT neurons, one for each element of a tensor.

    Attributes:
        neuron: its parameters; None until calibrated.
        fan_out: how many components read the same tensor. Their common input is coded once.
        scale_free: whether the consumer sees errors relative to the size of the whole token.
        of_encoder: whether its tokens are the encoder's, though it is a part of the decoder.
        weighs_keys: whether its inputs are probabilities, one for each key of a query.
    """

    def __init__(
        self, scale_free: bool = False, token_dim: int = 1, weighs_keys: bool = False
    ) -> None:
        super().__init__(token_dim)
        self.neuron: OAT | None = None
        self.fan_out = 1
        self.scale_free = scale_free
        self.weighs_keys = weighs_keys
        self.of_encoder = False

    @property
    def kind(self) -> str:
        """As its spikes are counted."""
        return "oat"

    @property
    def time_steps(self) -> int:
        """T of its neurons, or a CalibrationError if they have no parameters yet."""
        return self.calibrated().time_steps

    @property
    def levels(self) -> int:
        """H of its neurons."""
        return self.calibrated().levels

    @property
    def bands(self) -> int:
        """How many neurons there are for different magnitudes."""
        return len(self.calibrated().taus)

    def packed(self, x: Tensor, t: int, weighted: Tensor) -> Tensor:
        """See `Site`."""
        fires = (weighted.abs() > 0).to(torch.int16)  # what is no number is no spike
        digits = digits_of(oat.levels_of(weighted, t, x, self.calibrated()))
        return fires * (1 + 256 * digits).to(torch.int16)

    def forward(
        self,
        x: Tensor,
        silent: Tensor | None = None,
        importance: Callable[[], Tensor] | None = None,
        count: bool = True,
    ) -> SpikeEncoding:
        """The fused path.

        Arguments:
            x: input, any shape.
            silent: which entries a mask hides, broadcastable to x; they are no activations.
            importance: see `Observer`.
            count: whether these spikes count now; else they are `told` later.
        """
        if (observer := self.run.observer) is not None:
            return SpikeEncoding(self._observed(observer, x, importance))
        counts, stop = self.run.counting, self.run.stop
        shares = self.fan_out > 1 and not torch.compiler.is_compiling()
        if shares and (known := self._recall(x, counts, stop)) is not None:
            return known
        coded = self._code(x)
        if counts and count:
            coded = self.told(x, coded, self.no_activations(x, silent))
        if shares:
            shared = (weakref.ref(x), version_of(x), stop, coded, self.fan_out - 1)
            self.run.hand_over(self, shared)
        return coded

    def steps(
        self, x: Tensor, count: bool = True, silent: Tensor | None = None
    ) -> Iterator[Tensor]:
        """The step simulator: the weighted spikes theta(t) X_s(t) of t = 1 .. T.

        Arguments:
            x: input, any shape.
            count: whether these spikes count; those of a shared population count once.
            silent: see `forward`.
        """
        neuron = self.calibrated()
        train: Iterator[Tensor] = islice(oat.spike_train(x.detach(), neuron), self.run.stop)
        if count or self.fan_out == 1:  # the spikes of a shared population are recorded once
            train = self._recorded(x, train, silent)
        if count:
            return self._counted(x, train, silent)
        return (without_gradient(weighted, x) for weighted in train)

    def fused(self, x: Tensor) -> tuple[Tensor, SpikeEncoding]:
        """See `Site`."""
        coded = code_oat(x, self.calibrated(), self.run.counting, self.run.stop)
        return coded.value, coded

    def outside(self, x: Tensor) -> Tensor:
        """Which inputs are beyond the largest representable value."""
        return oat.out_of_range(x, self.calibrated())

    def exact(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def table(self) -> OATTable:
        """The neuron as the kernels read it."""
        return oat_table(self.calibrated(), self.run.stop)

    def _recall(self, x: Tensor, counts: bool, stop: int | None) -> SpikeEncoding | None:
        """The spikes of x if another reader of the same tensor has just coded it in this thread."""
        shared = self.run.take(self)
        if shared is None:
            return None
        source, version, stopped, coded, readers = shared
        uncounted = counts and coded.packed is None
        if source() is not x or (version, stopped) != (version_of(x), stop) or uncounted:
            return None
        if readers > 1:
            self.run.hand_over(self, (source, version, stopped, coded, readers - 1))
        spikes: SpikeEncoding = coded
        return spikes

    def calibrated(self) -> OAT:
        """The neuron, or a CalibrationError if there is none yet."""
        if self.neuron is None:
            raise CalibrationError(f"neurons at {self.name} have no thresholds: calibrate first")
        return self.neuron


class HGSite(Site):
    """f_hat: a population of HG neurons that approximates one unary function.

    Attributes:
        function: name of the function, a key of `FUNCTIONS`.
        neuron: its parameters, shared by all sites of a function; None until fitted.
    """

    def __init__(self, function: str, token_dim: int = 1) -> None:
        super().__init__(token_dim)
        self.function = function
        self.neuron: HG | None = None

    @property
    def kind(self) -> str:
        """As its spikes are counted."""
        return f"hg:{self.function}"

    @property
    def time_steps(self) -> int:
        """T of its neurons, or a CalibrationError if they have no parameters yet."""
        return self.fitted().time_steps

    def forward(self, x: Tensor, silent: Tensor | None = None) -> SpikeEncoding:
        """The fused path, f_hat(x); arguments as for `OATSite`."""
        if (observer := self.run.observer) is not None:
            return SpikeEncoding(self.exact(self._observed(observer, x)))
        coded = self._code(x)
        if self.run.counting:
            coded = self.told(x, coded, self.no_activations(x, silent))
        return coded

    def steps(self, x: Tensor, silent: Tensor | None = None) -> Iterator[Tensor]:
        """The step simulator: the weighted spikes d(t) s(t) of t = 1 .. T."""
        neuron = self.fitted()
        train: Iterator[Tensor] = islice(hg.spike_train(x.detach(), neuron), self.run.stop)
        return self._counted(x, self._recorded(x, train, silent), silent)

    def fused(self, x: Tensor) -> tuple[Tensor, SpikeEncoding]:
        """See `Site`."""
        coded = code_hg(x, self.fitted(), self.run.counting, self.run.stop)
        return coded.value, coded

    def outside(self, x: Tensor) -> Tensor:
        """Which inputs are beyond the calibrated range."""
        return hg.out_of_range(x, self.fitted())

    def exact(self, x: Tensor) -> Tensor:
        """f(x)."""
        return FUNCTIONS[self.function].evaluate(x)

    def fired(self, rows: Sequence[Tensor]) -> Firing:
        """See `Site`; each spike has an output weight of its own."""
        return Firing.plain(total(rows[0]))

    def table(self, dtype: torch.dtype) -> HGTable:
        """The neuron as the kernels for inputs of a dtype read it."""
        return hg_table(self.fitted(), dtype, self.run.stop)

    def fitted(self) -> HG:
        """The neuron, or a CalibrationError if there is none yet."""
        if self.neuron is None:
            raise CalibrationError(f"the HG neurons at {self.name} are not fitted: calibrate first")
        return self.neuron


def accumulate(train: Iterator[Tensor]) -> Tensor:
    """What a spike train adds up to."""
    total: Tensor | None = None
    for weighted in train:
        total = weighted if total is None else total + weighted
    if total is None:
        raise ValueError("a spike train needs at least one time step")
    return total

"""The Outlier-Aware Threshold neuron (Eqs. 3-4): one MT sub-neuron for each band of magnitudes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from las.config import Rounding, check_steps
from las.neurons import mt
from las.neurons.mt import MT

LARGEST_SHIFT = 8
"""Octaves by which thresholds of a channel may differ from those of the site, at most."""


@dataclass(frozen=True)
class OAT:
    """Parameters of an OAT neuron.

    The paper has two bands, normal and outlier, told apart by |v(1)| >= theta_nor (Eq. 3). Eq. 4
    prints the two masks swapped; here normal values belong to MT-N_nor, as the text says. One
    band is a plain MT neuron, the ablation of Section 5.5; more than two are allowed.

    Attributes:
        taus: base threshold of each MT sub-neuron, increasing, one for each band.
        gates: the magnitudes that divide the bands, increasing, one fewer than `taus`; the
            paper's theta_nor where there are two bands.
        time_steps: T.
        levels: H.
        rounding: see `MT`.
        shifts: where channels have thresholds of their own, the octaves by which those of each
            channel, the last dimension of the inputs, are above the ones given here; empty where
            all are alike. theta(t), gates and the largest value of channel c are 2^shifts[c] times
            as large, a factor that the weights behind take in.

    Raises:
        ValueError: thresholds that do not increase, or T, H, rounding, shifts out of range.
    """

    taus: tuple[float, ...]
    gates: tuple[float, ...]
    time_steps: int = 16
    levels: int = 5
    rounding: Rounding = "nearest"
    shifts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_steps(self.time_steps, self.levels, self.rounding)
        whole = all(isinstance(shift, int) for shift in self.shifts)
        if not whole or any(abs(shift) > LARGEST_SHIFT for shift in self.shifts):
            raise ValueError(
                f"shifts must be whole numbers from -{LARGEST_SHIFT} to {LARGEST_SHIFT}"
            )
        if len(self.taus) != len(self.gates) + 1:
            raise ValueError(f"{len(self.taus)} bands need {len(self.taus) - 1} gates")
        for name, values in (("taus", self.taus), ("gates", self.gates)):
            increase = all(a < b for a, b in pairwise((0.0, *values)))
            if not (increase and all(math.isfinite(value) for value in values)):
                raise ValueError(f"{name} must be positive, finite and increase, got {values}")

    @property
    def bands(self) -> tuple[MT, ...]:
        """The MT sub-neurons, from the smallest magnitudes to the largest, of a shift of 0."""
        return tuple(MT(tau, self.time_steps, self.levels, self.rounding) for tau in self.taus)

    @property
    def largest(self) -> float:
        """The largest representable value, that of the last band, where the shift is 0."""
        return self.bands[-1].largest

    @cached_property
    def alike(self) -> OAT:
        """The same neuron for channels whose thresholds are all alike."""
        return replace(self, shifts=())

    def unshifted(self, x: Tensor) -> Tensor:
        """Inputs or spikes in units of their channel's thresholds, x 2^-shifts: exact.

        Arguments:
            x: (..., channels), float32 or float64.

        Raises:
            ValueError: x has other channels than the thresholds.
        """
        return x / self._factors(x) if self.shifts else x

    def shifted(self, x: Tensor) -> Tensor:
        """Inverse of `unshifted`."""
        return x * self._factors(x) if self.shifts else x

    def _factors(self, x: Tensor) -> Tensor:
        if x.dim() == 0 or x.shape[-1] != len(self.shifts):
            raise ValueError(
                f"thresholds of {len(self.shifts)} channels are for inputs (..., "
                f"{len(self.shifts)}), these are {tuple(x.shape)}"
            )
        if (known := self._known_factors.get((x.dtype, x.device))) is None:
            with torch.inference_mode(False):  # who reads them may want gradients
                factors = [2.0**shift for shift in self.shifts]
                known = torch.tensor(factors, dtype=x.dtype, device=x.device)
            self._known_factors[x.dtype, x.device] = known
        return known

    @cached_property
    def _known_factors(self) -> dict[tuple[torch.dtype, torch.device], Tensor]:
        """2^shifts, (channels,), in the dtypes and on the devices where they were wanted."""
        return {}


def band_of(x: Tensor, neuron: OAT) -> Tensor:
    """Index of the sub-neuron that codes each input (Eq. 3), int64, the shape of x."""
    gates = torch.tensor(neuron.gates, dtype=x.dtype, device=x.device)
    return torch.bucketize(neuron.unshifted(x).abs().contiguous(), gates, right=True)


def levels_of(weighted: Tensor, t: int, x: Tensor, neuron: OAT) -> Tensor:
    """Levels H + k of weighted spikes, 0 where a neuron is silent.

    Arguments:
        weighted: the weighted spikes of one time step, any shape.
        t: the time step, 1 to T.
        x: the inputs, likewise.
        neuron: their parameters.
    """
    delta = mt.wide(x).new_tensor([band.delta for band in neuron.bands])[
        band_of(mt.wide(x), neuron)
    ]
    theta = neuron.unshifted(mt.wide(weighted)).abs()
    return torch.round(theta / (delta * 2.0 ** (neuron.time_steps - t)))


def out_of_range(x: Tensor, neuron: OAT) -> Tensor:
    """Which inputs are beyond the largest representable value."""
    x = neuron.unshifted(mt.wide(x))
    return x.abs() > largest_in(x.dtype, neuron)


def largest_in(dtype: torch.dtype, neuron: OAT) -> float:
    """The largest number of float32 or float64 that is not beyond the representable ones."""
    if dtype == torch.float64:
        return neuron.largest
    with np.errstate(over="ignore"):
        rounded = np.float32(neuron.largest)
    beyond = float(rounded) > neuron.largest
    return float(np.nextafter(rounded, np.float32(0)) if beyond else rounded)


def spike_train(x: Tensor, neuron: OAT) -> Iterator[Tensor]:
    """The step simulator: Eqs. 3-7 over t = 1 .. T.

    Where thresholds of a channel are 2^s times as large, it makes of x what the others make of
    2^-s x, 2^s times as large. Only the sub-neuron whose band an input belongs to may fire, so that
    one membrane potential for each input is enough: in units of its band's delta the thresholds of
    all bands are the same.

    Arguments:
        x: input membrane potential v(1), any shape; neurons compute in float32 at least.
        neuron: its parameters.

    Yields:
        For each time step the weighted spikes theta(t) X_s(t), the shape of x: zero where a
        neuron is silent, else +-(1 + k/H) theta(t) of its band.
    """
    dtype, x = x.dtype, mt.wide(x)
    shifted, x, neuron = neuron.shifted, neuron.unshifted(x), neuron.alike
    sign = torch.where(x.isnan(), x, torch.sign(x))  # NaN stays NaN
    band = band_of(x, neuron)
    sub = neuron.bands[0]  # in these units it stands for all of them
    v = x.abs() * x.new_tensor([1 / each.delta for each in neuron.bands])[band]
    v = mt.within_grid(v + mt.initial_raise(sub.levels, sub.rounding), sub.rounding)
    signed_delta = sign * x.new_tensor([each.delta for each in neuron.bands])[band]
    for t in range(1, neuron.time_steps + 1):
        level, v = mt.step(v, t, sub)
        yield shifted(level * 2.0 ** (neuron.time_steps - t) * signed_delta).to(dtype)

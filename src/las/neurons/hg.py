"""The Hierarchically Gated neuron (Eqs. 8-9): N Few-Spikes sub-neurons, each for its sub-range.

The hierarchy has two levels. The first gate is the sign and the octave [2^e, 2^(e+1)) of |v(1)|,
the second one of 2^m equal sub-ranges within it; the functions of a transformer bend most near
zero, where octaves are shortest. Magnitudes below the lowest octave form one central sub-range
for each sign. As every boundary is a dyadic number, v(1) - lambda is exact in floating point.

A sub-neuron is an FS neuron whose first step always fires, with h(1) = lambda, the left end of its
sub-range, so that d(1) carries the offset. The other T - 1 steps code x - lambda in binary:
theta(t) = h(t) = w 2^-(t-1) for a sub-range of width w. Their output weights are
d(t) = slope * theta(t): expanded in signed bits, a quadratic has no main effects beyond the
linear ones, so on a sub-range short enough to be quadratic no other d(t) does better.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from las.config import MAX_TIME_STEPS
from las.neurons import fs
from las.neurons.fs import FS
from las.neurons.mt import wide

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Octaves:
    """The sub-ranges for inputs of one sign, by magnitude.

    Attributes:
        lowest: magnitudes below 2^lowest form one central sub-range.
        splits: the octave [2^(lowest+i), 2^(lowest+i+1)) has 2^splits[i] equal sub-ranges.
        silent_beyond: beyond the last octave emit nothing (an asymptote of zero); otherwise the
            last sub-neuron saturates.
        start: left end of the central sub-range, which may lie elsewhere than at zero if it is the
            only one: [start, start + 2^lowest).
    """

    lowest: int
    splits: tuple[int, ...] = ()
    silent_beyond: bool = False
    start: float = 0.0

    @property
    def highest(self) -> int:
        """Magnitudes from 2^highest on lie beyond the last octave."""
        return self.lowest + len(self.splits)

    @cached_property
    def edges(self) -> Array:
        """Boundaries of the sub-ranges in magnitude, from 0 to 2^highest, ascending."""
        parts = [np.zeros(1)]
        for i, split in enumerate(self.splits):
            cells = 2**split
            parts.append(2.0 ** (self.lowest + i) * (1 + np.arange(cells) / cells))
        return self.start + np.concatenate([*parts, [2.0**self.highest]])


@dataclass(frozen=True, eq=False)
class HG:
    """Parameters of an HG neuron.

    Sub-neurons are ordered by sign (negative first), then by magnitude.

    Attributes:
        function: name of the function it approximates.
        time_steps: T of every sub-neuron.
        negative: sub-ranges of inputs below zero; None if the function never sees any, so that
            all inputs go to the other side.
        positive: the same for the other inputs.
        offset: d(1) of each sub-neuron, shape (N,).
        slope: d(t) / theta(t), t > 1, of each sub-neuron, shape (N,).
        low: lower end of the calibrated range; inputs outside of it are counted.
        high: upper end of the calibrated range.

    Raises:
        ValueError: T out of range, arrays that do not match the number of sub-ranges, or sub-ranges
            that start elsewhere than at zero and are not the only one.
    """

    function: str
    time_steps: int
    negative: Octaves | None
    positive: Octaves | None
    offset: Array
    slope: Array
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 1 <= self.time_steps <= MAX_TIME_STEPS:
            raise ValueError(f"time_steps (T) must be 1 to {MAX_TIME_STEPS}, got {self.time_steps}")
        if not self.sides:
            raise ValueError(f"{self.function}: an HG neuron needs sub-ranges of one sign at least")
        if self.size > 1 and any(octaves.start for _, octaves in self.sides):
            raise ValueError(f"{self.function}: of {self.size} sub-ranges, none may have a start")
        if not self.offset.shape == self.slope.shape == self.left.shape:
            raise ValueError(
                f"{self.function}: {len(self.left)} sub-ranges, but {self.offset.shape} offsets "
                f"and {self.slope.shape} slopes"
            )

    @cached_property
    def sides(self) -> tuple[tuple[int, Octaves], ...]:
        """The sign, -1 or 1, and the octaves of each side that has any."""
        both = ((-1, self.negative), (1, self.positive))
        return tuple((sign, octaves) for sign, octaves in both if octaves is not None)

    @cached_property
    def left(self) -> Array:
        """Left end lambda_(i-1) of each sub-range, shape (N,)."""
        return np.concatenate(
            [o.edges[:-1] if sign > 0 else -o.edges[1:] for sign, o in self.sides]
        )

    @cached_property
    def width(self) -> Array:
        """Width w of each sub-range, shape (N,)."""
        return np.concatenate([np.diff(octaves.edges) for _, octaves in self.sides])

    @property
    def size(self) -> int:
        """N, the number of FS sub-neurons."""
        return len(self.left)

    @cached_property
    def sub_neurons(self) -> FS:
        """The N sub-neurons: theta, h and d of shape (N, T), float64."""
        step_size = self.width[:, None] * 2.0 ** -np.arange(self.time_steps)
        theta, h, d = step_size.copy(), step_size.copy(), self.slope[:, None] * step_size
        theta[:, 0], h[:, 0], d[:, 0] = -np.inf, self.left, self.offset
        return FS(torch.from_numpy(theta), torch.from_numpy(h), torch.from_numpy(d))


def gate(x: Tensor, neuron: HG) -> tuple[Tensor, Tensor]:
    """The gate M of Eq. 8.

    Arguments:
        x: input v(1), any shape.
        neuron: its parameters.

    Returns:
        index: which sub-neuron is responsible, int64, the shape of x.
        active: 1 where it may spike, 0 where the function's asymptote is silence, like x.
    """
    magnitude = x.abs().contiguous()
    index = torch.zeros_like(x, dtype=torch.int64)
    active = torch.ones_like(x)
    first = 0
    for sign, octaves in neuron.sides:
        mine = torch.ones_like(x, dtype=torch.bool)
        if len(neuron.sides) == 2:
            mine = x < 0 if sign < 0 else ~(x < 0)
        inner = torch.from_numpy(octaves.edges[1:-1]).to(x)
        index = torch.where(mine, first + torch.bucketize(magnitude, inner, right=True), index)
        if octaves.silent_beyond:
            beyond = mine & (magnitude >= 2.0**octaves.highest)
            active = torch.where(beyond, torch.zeros_like(active), active)
        first += len(octaves.edges) - 1
    return index, active


def out_of_range(x: Tensor, neuron: HG) -> Tensor:
    """Which inputs lie outside the calibrated range; -inf is a masked entry, not an input."""
    x = wide(x)
    return ((x < neuron.low) & (x != -torch.inf)) | (x > neuron.high)


def spike_train(x: Tensor, neuron: HG) -> Iterator[Tensor]:
    """The step simulator: Eqs. 1, 2, 8 and 9 over t = 1 .. T.

    Arguments:
        x: input v(1), any shape; neurons compute in float32 at least.
        neuron: its parameters.

    Yields:
        The weighted spikes d(t) s(t) of each time step, the shape of x; zero where a neuron is
        silent, and where the weight d(t) itself is zero, which is the same.
    """
    dtype, x = x.dtype, wide(x)
    index, active = gate(x, neuron)
    sub = neuron.sub_neurons
    parameters = [part.to(x).T.contiguous() for part in (sub.theta, sub.h, sub.d)]  # (T, N)
    v = torch.where(active > 0, x, torch.zeros_like(x))
    for t in range(neuron.time_steps):  # the chosen sub-neurons' parameters of one step at a time
        chosen = FS(*(part[t][index][..., None] for part in parameters))
        spikes, v = fs.step(v, 1, chosen)
        yield (chosen.d[..., 0] * spikes * active).to(dtype)

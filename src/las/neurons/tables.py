"""Neurons as the fused path reads them: thresholds and sub-ranges in arrays."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from las.config import Rounding
from las.neurons import mt
from las.neurons.encoding import digits_of
from las.neurons.hg import HG
from las.neurons.oat import OAT

_STEP, _ROUND = 6, 8
"""Instructions of a time step, and of one that is read off the leading bits."""
_EXACT = 2**24
"""Whole numbers up to it are float32's."""
FINE = 8
"""The last time steps, whose spikes are looked up at once."""


class OATTable(NamedTuple):
    """An OAT neuron as its kernel reads it.

    Attributes:
        steps: spacing, raise_by and silent_below (`mt.StepThresholds`) of each step, (T, 3).
        gates: magnitudes that divide the bands, (bands - 1,).
        units: delta = theta(T)/H of each band, (bands,).
        largest: the largest representable value.
        start: what is added to |v(1)|.
        levels: H.
        saturated: a membrane potential from which on every step fires its top level.
        signed: whether spikes have either sign.
        leading: how many of the steps, the first ones, are done `rounds` at a time (see
            `leading_steps`); 0 for none.
        rounds: the most of these steps that fire.
        split: bits of a level after its first one: the whole part of log2(H).
        lift: what the thresholds of these steps are lowered by.
        least: the potential, raised by `lift`, from which on the last of these steps fires.
        inner: what no potential of the bands below the last one exceeds, before `start`.
        capped: the potential from which on the first step has no level that is high enough.
        coarse: what all steps but the last `FINE` fire together (see `spike_sums`), int32; empty
            where steps are to be done one by one.
        fine: the same of the last ones.
    """

    steps: Any
    gates: Any
    units: Any
    largest: float
    start: float
    levels: int
    saturated: float
    signed: bool
    leading: int
    rounds: int
    split: int
    lift: float
    least: float
    inner: float
    capped: float
    coarse: Any
    fine: Any


class HGTable(NamedTuple):
    """An HG neuron as its kernel reads it.

    The first gate is read off the exponent of x, the second one off its leading mantissa bits.

    Attributes:
        lowest: biased exponent just below the lowest octave, of negative and other inputs, (2,).
        octaves: for each sign and octave, the central sub-range first and what lies beyond last:
            64 times the index of its first sub-neuron, plus the shift that leaves the second gate
            of the mantissa, uint32 (2 * octaves,).
        sub_neurons: lambda, 2^(T-1)/w, d(1), slope * w / 2^(T-1) of each sub-neuron, (4, N).
        emits: which of its spikes have a weight: bit 0 the first step, the others a mask for the
            code of the T - 1 binary steps, (N,) uint32.
        most: the largest code, 2^(T-1) - 1.
        low: lower end of the calibrated range.
        high: upper end of the calibrated range.
    """

    lowest: Any
    octaves: Any
    sub_neurons: Any
    emits: Any
    most: float
    low: float
    high: float


def fired_steps(neuron: OAT | HG, stop: int | None) -> int:
    """In how many of its T time steps a neuron fires: all of them, or the first `stop`."""
    return neuron.time_steps if stop is None else min(stop, neuron.time_steps)


def leading_steps(neuron: OAT, steps: int) -> tuple[int, int]:
    """How many first steps go by leading bits, and how many of them fire at most; (0, 0) for none.

    As thresholds halve from step to step, the step that fires next can be read off the exponent of
    the membrane potential, and its level off the leading bits: what it fires is the potential, cut
    or rounded to log2(H) or one more bits. It leaves less than the next steps can fire, so that
    with H = 5 two steps are silent after each spike, whatever the potential. The last steps of
    "nearest", whose thresholds are lowered less, go one by one.

    Arguments:
        neuron: its parameters.
        steps: the first of its T time steps, those that it fires in.
    """
    levels = neuron.levels
    first = steps
    if neuron.rounding == "nearest":
        first = min(steps, neuron.time_steps - math.ceil(math.log2(levels)))
    reach = 2 * levels - 1 / 2 if neuron.rounding == "signed" else levels + 1
    rounds = math.ceil(first / math.ceil(math.log2(reach)))
    return (first, rounds) if rounds * _ROUND < first * _STEP else (0, 0)


@lru_cache(maxsize=1024)
def spike_sums(
    time_steps: int, levels: int, rounding: Rounding, fired: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """What the step simulator fires from every potential that its steps can tell apart.

    All steps but the last `FINE` have thresholds that are multiples of 2^FINE delta, lowered by the
    same amount, the `lift`. So their spikes follow from the whole part of (v + lift) / 2^FINE, and
    those of the last ones from that of 2 (v + lift), v being the membrane potential that they find.

    Arguments:
        time_steps: T.
        levels: H.
        rounding: see `MT`.
        fired: how many of the T steps fire, the first ones.

    Returns:
        coarse: for each whole part the sum of the weighted spikes of the steps before the last
            `FINE` ones, in units of 2^FINE delta, plus 2^16 times what has fired (see
            `SpikeEncoding.packed`).
        fine: the same of the last `FINE` steps, in units of delta.
        Both are empty for "signed", whose spikes depend on more, and where T is so large that not
        all potentials are exact in float32.
    """
    top = (2 * levels - 1) * 2**time_steps
    if rounding == "signed" or 2 * (top + levels) > _EXACT:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    neuron = mt.MT(1.0, time_steps, levels, rounding)
    lift = lift_of(levels, rounding)
    last = min(FINE, time_steps)
    parts = []
    for unit, steps, most in (
        (2.0**FINE, range(1, 1 + time_steps - last), top),
        (0.5, range(1 + time_steps - last, 1 + time_steps), (2 * levels - 1) * 2**last),
    ):
        count = int((most + lift) / unit) + 1
        v = torch.arange(count, dtype=torch.float64, device="cpu") * unit - lift
        value, packed = torch.zeros_like(v), torch.zeros_like(v, dtype=torch.int32)
        for t in steps:
            if t <= fired:
                level, v = mt.step(v, t, neuron)
                value += level * 2.0 ** (time_steps - t)
                packed += torch.where(level > 0, 1 + 256 * digits_of(level), 0)
        parts.append((value / max(unit, 1)).to(torch.int32) + (packed << 16))
    return parts[0].numpy(), parts[1].numpy()


def lift_of(levels: int, rounding: Rounding) -> float:
    """What thresholds of all but the last steps are lowered by, in units of delta."""
    return levels / 2 if rounding == "nearest" else 0.0


@lru_cache(maxsize=2**14)
def oat_table(neuron: OAT, stop: int | None = None) -> OATTable:
    """An OAT neuron, stopped after the first `stop` of its T time steps, as the kernels read it.

    Raises:
        ValueError: channels have thresholds of their own, which kernels know nothing of.
    """
    if neuron.shifts:
        raise ValueError("kernels read inputs in units of their channel: `OAT.unshifted`")
    steps = range(1, 1 + fired_steps(neuron, stop))
    levels, signed = neuron.levels, neuron.rounding == "signed"
    leading, rounds = leading_steps(neuron, len(steps))
    border = levels - 1 / 4 if signed else levels
    lift = lift_of(levels, neuron.rounding)
    coarse, fine = spike_sums(neuron.time_steps, levels, neuron.rounding, len(steps))
    return OATTable(
        steps=np.array(
            [mt.thresholds_at(t, neuron.time_steps, neuron.levels, neuron.rounding) for t in steps]
        ),
        gates=np.array(neuron.gates, dtype=np.float64),
        units=np.array([band.delta for band in neuron.bands]),
        largest=neuron.largest,
        start=mt.initial_raise(neuron.levels, neuron.rounding),
        levels=levels,
        saturated=(2 * levels - 1) * 2.0**neuron.time_steps,
        signed=signed,
        leading=leading,
        rounds=rounds,
        split=levels.bit_length() - 1,
        lift=lift,
        least=border * 2.0 ** (neuron.time_steps - leading),
        inner=max(
            (gate / band.delta for gate, band in zip(neuron.gates, neuron.bands, strict=False)),
            default=0.0,
        ),
        capped=(border + levels) * 2.0 ** (neuron.time_steps - 1) - lift,
        coarse=coarse,
        fine=fine,
    )


@lru_cache(maxsize=1024)
def hg_table(neuron: HG, dtype: torch.dtype, stop: int | None = None) -> HGTable:
    """An HG neuron, stopped after its first `stop` time steps, as the kernels for a dtype read it.

    As theta(t) does not depend on T, it is the neuron of so many time steps.
    """
    narrow = dtype == torch.float32
    bias, mantissa = (127, 23) if narrow else (1023, 52)
    length = 2 + max(len(octaves.splits) for _, octaves in neuron.sides)
    sides: dict[int, tuple[int, Any]] = {}
    places: list[Any] = []  # of each sub-neuron in the neuron's arrays, -1 for a silent one
    size = 0
    for sign, octaves in neuron.sides:
        cells = [1, *(2**split for split in octaves.splits)]
        starts = len(places) + np.concatenate([[0], np.cumsum(cells)])
        places += range(size, size + sum(cells))
        size += sum(cells)
        if octaves.silent_beyond:
            places.append(-1)
        firsts = np.full(length, len(places) - 1)  # the outermost one, which saturates or is silent
        firsts[: len(cells)] = starts[:-1]
        shifts = np.full(length, mantissa)  # leave nothing: one sub-range alone
        shifts[1 : len(cells)] -= np.array(octaves.splits, dtype=np.int64)
        sides[sign] = (octaves.lowest + bias - 1, 64 * firsts + shifts)
    both = [sides.get(sign) or sides[-sign] for sign in (-1, 1)]  # one side may serve all inputs
    codes = 2.0 ** (fired_steps(neuron, stop) - 1)
    per_width = codes / neuron.width
    rows = np.stack([neuron.left, per_width, neuron.offset, neuron.slope / per_width])
    rows = np.concatenate([rows, np.zeros((4, 1))], axis=1)[:, places]
    rows = rows.astype(np.float32 if narrow else np.float64)
    first, later = (rows[2] != 0).astype(np.uint32), (rows[3] != 0).astype(np.uint32)
    integer = np.int32 if narrow else np.int64
    return HGTable(
        lowest=np.array([lowest for lowest, _ in both], dtype=integer),
        octaves=np.concatenate([packed for _, packed in both]).astype(np.uint32),
        sub_neurons=np.ascontiguousarray(rows),
        emits=first | later * np.uint32(2 * (int(codes) - 1)),
        most=codes - 1,
        low=neuron.low,
        high=neuron.high,
    )

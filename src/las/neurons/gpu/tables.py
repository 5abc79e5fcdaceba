"""Neurons as the kernels for GPUs read them: the tables of `las.neurons.tables` on a device."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from las.neurons.hg import HG
from las.neurons.oat import OAT, largest_in
from las.neurons.tables import hg_table, oat_table

_MANTISSA = 23


class OATTensors(NamedTuple):
    """An OAT neuron on a device.

    Attributes:
        steps: 1/spacing, spacing, raise_by and silent_below of each step, (T, 4).
        bands: gate, 1/delta and delta of each band, (bands, 3); the first gate is 0.
        scalars: start, saturated, levels, the largest value, lift, least and capped (see
            `OATTable`), (7,).
        whole: how many steps go by leading bits, in how many rounds; of a level from H on and of
            one below it the distance to the next one, in bits of a float32; the mantissa of H; and
            whether spikes have either sign, int32 (6,).
    """

    steps: Tensor
    bands: Tensor
    scalars: Tensor
    whole: Tensor


class HGTensors(NamedTuple):
    """An HG neuron on a device; see `HGTable`.

    Attributes:
        lowest: (2,) int32.
        octaves: (2 * octaves,) int32.
        sub_neurons: (4, N) float32.
        emits: (N,) int32.
        scalars: the largest code, and both ends of the calibrated range, (3,) float32.
    """

    lowest: Tensor
    octaves: Tensor
    sub_neurons: Tensor
    emits: Tensor
    scalars: Tensor


@lru_cache(maxsize=2**14)
def oat_tensors(neuron: OAT, stop: int | None, device: torch.device) -> OATTensors:
    """An OAT neuron, stopped after the first `stop` of its T time steps."""
    table = oat_table(neuron, stop)
    steps = [[1 / spacing, spacing, *rest] for spacing, *rest in table.steps.tolist()]
    units = table.units.tolist()
    bands = [[gate, 1 / unit, unit] for gate, unit in zip([0.0, *table.gates], units, strict=True)]
    scalars = [table.start, table.saturated, float(table.levels), largest_in(torch.float32, neuron)]
    scalars += [table.lift, table.least, table.capped]
    grain = 1 << (_MANTISSA - table.split)
    border = (table.levels * grain) % (1 << _MANTISSA)
    whole = [table.leading, table.rounds, grain, grain // 2, border, int(table.signed)]
    floats = partial(torch.tensor, dtype=torch.float32, device=device)
    return OATTensors(
        floats(steps),
        floats(bands),
        floats(scalars),
        torch.tensor(whole, dtype=torch.int32, device=device),
    )


@lru_cache(maxsize=256)
def hg_tensors(neuron: HG, stop: int | None, device: torch.device) -> HGTensors:
    """An HG neuron, stopped after its first `stop` time steps."""
    table = hg_table(neuron, torch.float32, stop)
    integers = [table.lowest, table.octaves.view("int32"), table.emits.view("int32")]
    lowest, octaves, emits = (torch.from_numpy(x).to(device) for x in integers)
    scalars = torch.tensor([table.most, table.low, table.high], dtype=torch.float32, device=device)
    return HGTensors(
        lowest, octaves, torch.from_numpy(table.sub_neurons).to(device), emits, scalars
    )

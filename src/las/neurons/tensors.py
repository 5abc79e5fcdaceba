"""The fused path in PyTorch operations, for devices and dtypes that the CPU kernels do not serve.

The same tables and the same arithmetic as in `kernels`. On a GPU, where they serve float64, the
operations of a neuron are compiled into one, which reads and writes each tensor once; thresholds
are arguments of it, so that all sites and all lengths share one build. Elsewhere, and without the
compiler, they run one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import any_torch_dispatch_mode_on_stack

from las.neurons.encoding import Firing, SpikeEncoding, digits_of, total
from las.neurons.hg import HG
from las.neurons.hg import out_of_range as beyond_range
from las.neurons.mt import wide
from las.neurons.oat import OAT
from las.neurons.oat import out_of_range as beyond_largest
from las.neurons.slower import say_slower
from las.neurons.tables import fired_steps, hg_table, oat_table

_COMPILED_ON = ("cuda",)

Function = Callable[..., tuple[Tensor, Tensor | None]]

_not_compiled: set[Function] = set()
"""What the compiler has failed on in this process."""


def code_oat(x: Tensor, neuron: OAT, count: bool, stop: int | None) -> SpikeEncoding:
    """See `las.neurons.fused.code_oat`."""
    inputs = wide(x)
    function, units = _oat_of(neuron, stop, count)
    bands = _tensors(x.device, inputs.dtype, neuron.gates, units)
    value, packed = _run(function, x.device, inputs.reshape(-1), *bands)
    value = value.view(x.shape).to(x.dtype)
    if packed is None:
        return SpikeEncoding(value)
    outside = total(beyond_largest(x, neuron))
    return SpikeEncoding(value, packed.view(x.shape), Firing.of(packed), outside)


def code_hg(x: Tensor, neuron: HG, count: bool, stop: int | None) -> SpikeEncoding:
    """See `las.neurons.fused.code_hg`."""
    inputs = wide(x)
    function = _hg(fired_steps(neuron, stop), count)
    tables = _hg_tensors(neuron, inputs.dtype, stop, x.device)
    value, packed = _run(function, x.device, inputs.reshape(-1), *tables)
    value = value.view(x.shape).to(x.dtype)
    if packed is None:
        return SpikeEncoding(value)
    outside = total(beyond_range(inputs, neuron))
    fired = Firing.plain(total(packed & 0xFF))
    return SpikeEncoding(value, packed.view(x.shape), fired, outside)


def _run(function: Function, device: torch.device, *tensors: Tensor) -> Any:
    """Run a neuron's function, compiled on a GPU.

    Not where somebody watches each operation, as the audit does: the compiler would note that it
    cannot compile the function, and leave it alone for the rest of the process.
    """
    if device.type not in _COMPILED_ON or any_torch_dispatch_mode_on_stack():
        return function(*tensors)
    if not triton_is_there():
        return _eagerly(function, tensors, "Triton is not installed: pip install triton")
    if torch._dynamo.config.disable:
        return _eagerly(
            function, tensors, "torch.compile is switched off: unset TORCH_COMPILE_DISABLE"
        )
    if function in _not_compiled:
        return function(*tensors)
    try:
        return _compiled(function)(*tensors)
    except torch._dynamo.exc.TorchDynamoException as error:
        _not_compiled.add(function)
        said = " ".join(str(error).strip().partition("\n\n")[0].split())
        return _eagerly(function, tensors, f"torch.compile has failed: {said}")


def _eagerly(function: Function, tensors: Sequence[Tensor], why: str) -> Any:
    """Run a neuron's function without the compiler, and say why."""
    say_slower(
        "not compiled",
        "spiking neurons run one operation after the other, tens of times slower than compiled, "
        f"and attention with all scores in memory, because {why}",
    )
    return function(*tensors)


@cache
def triton_is_there() -> bool:
    """Whether Triton is installed, which comes with PyTorch's builds for CUDA and ROCm."""
    return find_spec("triton") is not None


@cache
def _compiled(function: Function) -> Function:
    """One build for all lengths and all sites.

    The compiler gives up on a function after some builds, and tells functions apart by their code:
    neurons of another T or H have a code of their own.
    """
    own: Any = FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__,
        function.__defaults__, function.__closure__,
    )  # fmt: skip
    return torch.compile(own, dynamic=True)


@lru_cache(maxsize=2**14)
def _oat_of(neuron: OAT, stop: int | None, count: bool) -> tuple[Function, tuple[float, ...]]:
    """The build that serves a neuron, and its units."""
    table = oat_table(neuron, stop)
    steps = tuple(map(tuple, table.steps.tolist()))
    function = _oat(steps, table.start, table.levels, table.saturated, table.signed, count)
    return function, tuple(table.units.tolist())


@cache
def _oat(
    steps: tuple[tuple[float, ...], ...],
    start: float,
    levels: int,
    saturated: float,
    signed: bool,
    count: bool,
) -> Function:
    """Sum over T of the weighted spikes of any OAT neurons that differ in their bands only."""

    def sum_spikes(x: Tensor, gates: Tensor, inverses: Tensor, units: Tensor) -> Any:
        magnitude = x.abs()
        band = torch.bucketize(magnitude, gates, right=True)
        v = (magnitude * inverses[band] + start).clamp_max(saturated)
        first = v = v if signed else torch.floor(2 * v) / 2  # see `mt.within_grid`
        packed = torch.zeros_like(x, dtype=torch.int16) if count else None
        for spacing, raise_by, silent_below in steps:
            size = v.abs() if signed else v
            if signed:
                level = torch.floor(size / spacing)
                level = level + (size - level * spacing >= raise_by)
            else:
                level = torch.floor((size + raise_by) / spacing)
            level = level.clamp(levels, 2 * levels - 1)
            fires = size >= silent_below
            spike = level * spacing
            v = torch.where(fires, v - (torch.copysign(spike, v) if signed else spike), v)
            if packed is not None:
                packed = packed + torch.where(fires, 1 + 256 * digits_of(level), 0).to(torch.int16)
        return torch.copysign((first - v) * units[band], x), packed

    return sum_spikes


@cache
def _hg(time_steps: int, count: bool) -> Function:
    """Sum over T of the weighted spikes of any HG neurons."""
    most = 2 ** (time_steps - 1) - 1

    def sum_spikes(
        x: Tensor, lowest: Tensor, octaves: Tensor, sub_neurons: Tensor, emits: Tensor
    ) -> Any:
        narrow = x.dtype == torch.float32
        mantissa = 23 if narrow else 52
        bits = x.view(torch.int32 if narrow else torch.int64).to(torch.int64)
        sides = octaves.shape[0] // 2
        side = (~(x < 0)).to(torch.int64)
        octave = ((bits >> mantissa) & (0xFF if narrow else 0x7FF)) - lowest[side]
        packed = octaves[octave.clamp(0, sides - 1) + side * sides]
        chosen = (packed >> 6) + ((bits & ((1 << mantissa) - 1)) >> (packed & 63))
        left, per_width, offset, slope = sub_neurons[:, chosen]
        code = torch.floor((x - left) * per_width)
        code = torch.where(code > 0, code, 0).clamp_max(most)
        value = torch.where(x.isnan(), x, offset + slope * code)
        if not count:
            return value, None
        ones = code.to(torch.int64).clamp_max(most) & (emits[chosen] >> 1)
        ones = ones - ((ones >> 1) & 0x55555555)
        ones = (ones & 0x33333333) + ((ones >> 2) & 0x33333333)
        ones = (ones + (ones >> 4)) & 0x0F0F0F0F
        ones = ((ones * 0x01010101) & 0xFFFFFFFF) >> 24
        return value, (257 * (ones + (emits[chosen] & 1))).to(torch.int16)

    return sum_spikes


@lru_cache(maxsize=2**14)
def _tensors(
    device: torch.device, dtype: torch.dtype, gates: tuple[float, ...], units: tuple[float, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gates, 1/delta and delta of each band."""
    inverses = tuple(1 / unit for unit in units)
    columns = [torch.tensor(part, dtype=dtype, device=device) for part in (gates, inverses, units)]
    return columns[0], columns[1], columns[2]


@lru_cache(maxsize=256)
def _hg_tensors(
    neuron: HG, dtype: torch.dtype, stop: int | None, device: torch.device
) -> tuple[Tensor, ...]:
    """The arrays of `HGTable`."""
    table = hg_table(neuron, dtype, stop)
    integers = [table.lowest, table.octaves, table.emits]
    lowest, octaves, emits = (
        torch.from_numpy(part.astype("int64")).to(device) for part in integers
    )
    return lowest, octaves, torch.from_numpy(table.sub_neurons).to(device), emits

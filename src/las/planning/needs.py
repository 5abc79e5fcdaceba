"""What a conversion and the spiking model need, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from las.planning.machine import Speed
from las.planning.placement import Placement


@dataclass(frozen=True)
class Firing:
    """Expected spikes, from the firing rates measured in other models.

    Attributes:
        spikes: per token.
        sops: synaptic operations per token.
        energy_ratio: E_SNN / E_ANN (Eq. 25), with the paper's constants.
        sources: the models that were measured.
        assumed: sites that none of them has; the mean of their kind of neuron is assumed.
    """

    spikes: float
    sops: float
    energy_ratio: float
    sources: tuple[str, ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run will need; `str` gives a table to read.

    Sizes are in bytes, times in seconds, the rest is per token.

    Attributes:
        model: class of the model.
        dtype: of its weights.
        batch, length: sequences in a forward pass, and tokens in each.
        parameters: their number; tied ones count once.
        weights: bytes of the weights by dtype.
        activations_ann: peak of the ANN's activations, cache included.
        activations_calibration: the same during calibration. The spiking model takes about as
            much; less on the CPU, whose kernels work on blocks of scores.
        cache: keys and values of the batch.
        statistics: what calibration keeps, in memory and on disk.
        conversion: peak of a conversion with all weights on one device.
        program: memory of Python and its libraries, as measured in this process.
        sites: populations of neurons.
        neurons: scalar values that they code, per token.
        macs: the ANN's multiply-accumulates by kind of operation, per token.
        firing: expected spikes; None if no rates were measured for this T and H.
        seconds_ann: per 1,000 tokens; None if the machine's speed is not known.
        seconds_snn: the same for the spiking model.
        seconds_moving: the part of both spent on bringing in offloaded weights.
        speed: what the times were computed from.
        download: size of the checkpoint, in the dtype that its config names.
        materialised: copy of the weights that the pipeline writes; 0 if it uses the checkpoint.
        adapter: size of what `las.save` writes.
        placement: which device holds which modules.
        disk_short: bytes that are missing on the disk, if its size was given.
    """

    model: str
    dtype: str
    batch: int
    length: int
    parameters: int
    weights: dict[str, int]
    activations_ann: int
    activations_calibration: int
    cache: int
    statistics: int
    conversion: int
    program: int
    sites: int
    neurons: float
    macs: dict[str, float]
    firing: Firing | None
    seconds_ann: float | None
    seconds_snn: float | None
    seconds_moving: float
    speed: Speed
    download: int
    materialised: int
    adapter: int
    placement: Placement
    disk_short: float

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{plan.model}: {_short(plan.parameters)} parameters"
    yield f"one pass of {plan.batch} x {plan.length} tokens, {plan.dtype} weights"
    yield ""
    yield "memory"
    for name, size in plan.weights.items():
        yield _row(f"weights, {name}", _bytes(size))
    yield _row("activations, ANN", _bytes(plan.activations_ann))
    yield _row("activations, calibration", _bytes(plan.activations_calibration))
    yield _row("keys and values cached", _bytes(plan.cache))
    yield _row("calibration statistics", _bytes(plan.statistics))
    yield _row("peak of the conversion", _bytes(plan.conversion), "all in one place")
    yield _row("the program itself", _bytes(plan.program), "in this process")
    yield ""
    yield "devices"
    for device, modules in plan.placement.modules.items():
        yield _row(device, _bytes(plan.placement.bytes[device]), _ranges(modules))
    yield _row("kept free to compute", _bytes(plan.placement.reserved), "on each that computes")
    away = {"CPU": plan.placement.moved, "disk": plan.placement.read}
    for device, moved in away.items():
        if moved:
            yield _row(f"from the {device} each pass", _bytes(moved))
    yield ""
    yield f"time of 1,000 tokens{f' ({plan.speed.source})' if plan.speed.source else ''}"
    known = plan.seconds_ann is not None
    of_neurons = "how fast neurons are there is unmeasured: give --neurons"
    for name, seconds, lacks in (
        ("ANN", plan.seconds_ann, "no such GPU is here to be measured: give --flops"),
        ("SNN", plan.seconds_snn, of_neurons if known else "likewise: give --flops and --neurons"),
    ):
        yield _row(name, "–", lacks) if seconds is None else _row(name, _seconds(seconds))
    if plan.seconds_moving:
        yield _row("of it, weights coming in", _seconds(plan.seconds_moving), "nominal PCIe 4.0")
    yield ""
    yield "disk"
    yield _row("download", _bytes(plan.download))
    yield _row("materialised", _bytes(plan.materialised))
    yield _row("statistics", _bytes(plan.statistics))
    yield _row("adapter", _bytes(plan.adapter))
    if plan.placement.read:
        yield _row("offloaded weights", _bytes(plan.placement.read))
    if plan.disk_short:
        yield _row("lacking", _bytes(plan.disk_short))
    yield ""
    yield "work of a token"
    yield _row("neuron sites", f"{plan.sites:,}", "in the model")
    yield _row("values coded", _short(plan.neurons))
    yield _row("multiply-accumulates", _short(sum(plan.macs.values())), "of the ANN")
    if plan.firing is None:
        yield "  no firing rates were measured for this T and H"
        return
    yield _row("spikes", _short(plan.firing.spikes))
    yield _row("synaptic operations", _short(plan.firing.sops))
    yield _row("E_SNN / E_ANN", f"{plan.firing.energy_ratio:.3f}", "Eq. 25")
    yield "firing rates as measured in:"
    for source in plan.firing.sources:
        yield f"  {source}"
    if plan.firing.assumed:
        yield f"  not in them, taken as the mean of their kind: {', '.join(plan.firing.assumed)}"


def _row(name: str, value: str, note: str = "") -> str:
    return f"  {name:<28}{value:>12}{f'   {note}' if note else ''}"


def _bytes(size: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size / 1e3:,.1f} kB"


def _short(count: float) -> str:
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:,.2f} {unit}"
    return f"{count:,.0f}"


def _seconds(time: float) -> str:
    return f"{time:,.2f} s" if time < 600 else f"{time / 3600:,.2f} h"


def _ranges(paths: Sequence[str]) -> str:
    """Paths, neighbouring layers as a range: layers.0-7."""
    parts: list[tuple[str, list[int]]] = []
    if list(paths) == [""]:
        return "all of it"
    for path in paths:
        stem, _, last = path.rpartition(".")
        if last.isdigit() and parts and parts[-1][0] == stem:
            parts[-1][1].append(int(last))
        elif last.isdigit():
            parts.append((stem, [int(last)]))
        else:
            parts.append((path, []))
    return ", ".join(
        stem if not numbers else f"{stem}.{numbers[0]}-{numbers[-1]}" for stem, numbers in parts
    )

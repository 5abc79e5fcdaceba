"""A plan as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from las.planning.plan import Plan


def describe(plan: Plan) -> str:
    """A table of what a run needs."""
    return "\n".join(_lines(plan))


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
    for name, seconds, lacks in (
        ("ANN", plan.seconds_ann, "no such GPU is here to be measured: give --flops"),
        ("SNN", plan.seconds_snn, "likewise: give --flops and --neurons"),
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

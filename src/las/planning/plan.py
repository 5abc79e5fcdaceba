"""Plan a conversion: memory, time, disk, spikes and energy, before anything is downloaded."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import torch

from las.calibration.statistics import SiteStatistics, Statistics
from las.calibration.thresholds import SiteThresholds, Thresholds
from las.config import SpikeConfig, config_or_default
from las.conversion.adapter import write_adapter
from las.conversion.state import SpikingState
from las.energy.cost_model import PAPER
from las.hosts import loading
from las.hosts.loading import read_config
from las.options import finite_number, instance_of, shown, whole_number
from las.planning import machine
from las.planning.meta_model import meta_model
from las.planning.needs import Firing, Plan
from las.planning.placement import Devices, place
from las.planning.rates import Rates, measured, role
from las.planning.walk import Walk, walk

DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in loading.DTYPES}


def plan(
    source: str | Path,
    *,
    batch: int = 1,
    length: int = 512,
    dtype: str = "float32",
    config: SpikeConfig | None = None,
    devices: Devices | None = None,
    flops: float | None = None,
    neurons: float | None = None,
    rates: Rates | None = None,
) -> Plan:
    """Say what a conversion and the spiking model will need, from the model's config alone.

    Nothing is downloaded but the config; the model is run on the meta device, which computes
    shapes only. Times are for this machine, unless the plan is for GPUs that it does not have.

    A vision-language model is planned for text alone; the weights of its tower count.

    Arguments:
        source: a name on the hub, a model's directory, or a config.json.
        batch: sequences in a forward pass.
        length: tokens of each.
        dtype: "float32", "float16" or "bfloat16".
        config: T and H; 16 and 5 by default.
        devices: GPUs, memory and disk; this machine's free memory by default.
        flops: per second, of the machine that is planned for.
        neurons: values that it codes per second.
        rates: firing rates; those shipped by default.

    Raises:
        ValueError: an argument of another kind, an unknown dtype, a length beyond the model's
            positions, or a device that is too small for a single pass.
        UnsupportedModelError: the model cannot be converted.
        OSError: there is no config.
    """
    if not isinstance(source, str | os.PathLike):
        raise ValueError(f"source must be a name on the hub or a path, got {shown(source)}")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {shown(dtype)}")
    batch, length = whole_number("batch", batch, 1), whole_number("length", length, 1)
    config = config_or_default(config)
    if devices is None:
        devices = Devices((), psutil.virtual_memory().available)
    instance_of("devices", devices, Devices, "las.planning.Devices(gpus, cpu) makes one")
    flops = None if flops is None else finite_number("flops", flops, 1)
    neurons = None if neurons is None else finite_number("neurons", neurons, 1)
    if rates is not None:
        instance_of("rates", rates, Rates, "las.planning.rates.measured reads those shipped")
    base = read_config(source)
    longest = getattr(base, "max_position_embeddings", None)
    if longest is not None and length > longest:
        raise ValueError(f"a length of {length} is more than the model's {longest} positions")
    passed = walk(base, DTYPES[dtype], batch, length)
    item = DTYPES[dtype].itemsize
    model = meta_model(base, DTYPES[dtype])
    rates = rates or measured(config.time_steps, config.levels)
    statistics = _statistics_size(passed)
    cache = passed.cached * item
    spread = cache - cache // max(1, len(devices.gpus))  # each GPU keeps that of its own layers
    reserved = max(passed.peak_ann, passed.peak_observed) - spread
    placement = place(model, devices, reserved)
    speed = machine.speed(config, DTYPES[dtype], _here(devices), flops, neurons, devices.card)
    moving = placement.moved / machine.LINK + placement.read / machine.DISK
    coded = Counter[bool]()
    for one in passed.populations.values():
        coded[one.kind == "oat"] += one.activations
    ann = snn = None
    if speed.flops is not None:
        ann = 2 * sum(passed.macs.values()) / speed.flops + moving
    if ann is not None and speed.oat is not None and speed.hg is not None:
        snn = ann + coded[True] * speed.oat + coded[False] * speed.hg
    thousand = 1000 / passed.tokens
    stored = DTYPES.get(str(base.dtype).removeprefix("torch."), torch.float32).itemsize
    weights = {name: passed.parameters * kind.itemsize for name, kind in DTYPES.items()}
    download = passed.parameters * stored
    materialised = weights["float32"] if dtype == "float32" else 0
    adapter = _adapter_size(passed, config, rates)
    needed = download + materialised + statistics + adapter + placement.read
    copies = 2 * torch.bfloat16.itemsize * passed.largest  # as a fingerprint reads a parameter
    return Plan(
        model=type(model).__name__,
        dtype=dtype,
        batch=batch,
        length=length,
        parameters=passed.parameters,
        weights=weights,
        activations_ann=passed.peak_ann,
        activations_calibration=passed.peak_observed,
        cache=cache,
        statistics=statistics,
        conversion=weights[dtype] + statistics + max(passed.peak_observed, copies),
        program=psutil.Process().memory_info().rss,
        sites=len(passed.populations),
        neurons=coded.total() / passed.tokens,
        macs={kind: macs / passed.tokens for kind, macs in passed.macs.items()},
        firing=None if rates is None else _firing(passed, rates),
        seconds_ann=None if ann is None else ann * thousand,
        seconds_snn=None if snn is None else snn * thousand,
        seconds_moving=moving * thousand,
        speed=speed,
        download=download,
        materialised=materialised,
        adapter=adapter,
        placement=placement,
        disk_short=0.0 if devices.disk is None else max(0.0, needed - devices.disk),
    )


def _here(devices: Devices) -> torch.device | None:
    """The device of this machine that is planned for; None where it has no such GPU."""
    if not devices.gpus:
        return torch.device("cpu")
    if not torch.cuda.is_available() or torch.cuda.device_count() < len(devices.gpus):
        return None
    if devices.card is not None and devices.card.name not in torch.cuda.get_device_name(0):
        return None
    size = torch.cuda.get_device_properties(0).total_memory
    return torch.device("cuda") if abs(size / devices.gpus[0] - 1) < 0.15 else None


def _firing(passed: Walk, rates: Rates) -> Firing:
    roles = {name: role(name, one.kind) for name, one in passed.populations.items()}
    spikes = sum(
        rates.of(roles[name]) * one.activations for name, one in passed.populations.items()
    )
    functions = {"gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid"}
    scalars = sum(count for name, count in passed.nonlinear.items() if name in functions)
    gated = passed.macs.get("hadamard", 0)  # their functions are part of that operation
    sops = sum(rates.work(kind) * macs for kind, macs in passed.macs.items() if macs)
    sops += rates.work("activation") * (scalars - gated)
    flops = sum(passed.macs.values()) + PAPER.nonlinear_flops(passed.nonlinear)
    return Firing(
        spikes / passed.tokens,
        sops / passed.tokens,
        sops * PAPER.ac_pj / (flops * PAPER.mac_pj),
        rates.sources,
        tuple(sorted(set(roles.values()) - set(rates.spikes))),
    )


def _statistics_size(passed: Walk) -> int:
    """Bytes of the file that calibration writes: empty bins take as much as full ones."""
    sites = {
        name: SiteStatistics(one.kind.removeprefix("hg:"), channel_peak=np.zeros(one.channels))
        for name, one in passed.populations.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "statistics.safetensors"
        Statistics("", "", sites, passed.shared).save(file)
        return file.stat().st_size


def _adapter_size(passed: Walk, config: SpikeConfig, rates: Rates | None) -> int:
    """Bytes of an adapter: its sites, and as many sub-neurons of a function as were measured."""
    bands = (0.0,) * config.bands
    names = [name for name, one in passed.populations.items() if one.kind == "oat"]
    thresholds = Thresholds({name: SiteThresholds(bands, bands[1:]) for name in names})
    state = SpikingState(config, "", "", thresholds, passed.shared, {})
    with tempfile.TemporaryDirectory() as folder:
        size = write_adapter(Path(folder), state).stat().st_size
    functions = {one.kind.removeprefix("hg:") for one in passed.populations.values()} - {"oat"}
    known = {} if rates is None else rates.functions
    usual = sum(known.values()) / len(known) if known else 0.0
    arrays = 2 * np.dtype(np.float64).itemsize  # an offset and a slope
    return size + int(sum(known.get(name, usual) * arrays for name in functions))

"""Speed of a machine: as given, or from a short measurement on this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from las.config import SpikeConfig
from las.fitting.fit import fit
from las.fitting.functions import FUNCTIONS
from las.neurons.fused import code_hg, code_oat
from las.neurons.mt import MT
from las.neurons.oat import OAT
from las.planning.cards import Card
from las.planning.speeds import measured_on

LINK = 32e9
"""Bytes per second from the CPU's memory to a GPU: 16 lanes of PCIe 4.0, nominally."""

DISK = 7e9
"""Bytes per second from a disk: NVMe on four lanes of PCIe 4.0, nominally 7.9e9, less protocol."""

_MOMENT = 0.2
"""Seconds that each measurement takes."""


@dataclass(frozen=True)
class Speed:
    """What the time of a forward pass is computed from.

    Attributes:
        flops: per second, in a matrix product; a multiply-accumulate is two. None if unknown.
        oat: seconds that an OAT neuron takes for all T steps; None if unknown.
        hg: the same for an HG neuron.
        source: where the numbers come from.
    """

    flops: float | None
    oat: float | None
    hg: float | None
    source: str


def speed(
    config: SpikeConfig,
    dtype: torch.dtype,
    device: torch.device | None,
    flops: float | None = None,
    neurons: float | None = None,
    card: Card | None = None,
) -> Speed:
    """Speed of the machine that is planned for.

    Arguments:
        config: T and H.
        dtype: of the weights.
        device: the device of this machine to measure on what is not given; None if the plan is
            for another machine.
        flops: per second.
        neurons: values coded per second.
        card: the GPUs that are planned for: where nothing is given and none of them is here, their
            nominal speed is taken, and what the benchmarks measured of neurons on one of them.
    """
    given = [name for name, value in (("flops", flops), ("neurons", neurons)) if value]
    parts = [f"{' and '.join(given)} as given"] if given else []
    if flops is None and device is None and card is not None:
        flops = card.flops(str(dtype).removeprefix("torch."))
        parts.append(f"nominal flops of an {card.name} ({card.source})")
    oat = hg = 1 / neurons if neurons else None
    if neurons is None and device is None and card is not None:
        found = measured_on(card.name, config)
        if found is not None:
            oat, hg = found.oat, found.hg
            parts.append(f"neurons as measured on {found.gpu} ({found.date})")
    if device is not None and (flops is None or neurons is None):
        name = torch.cuda.get_device_name() if device.type == "cuda" else "this processor"
        threads = "" if device.type == "cuda" else f", {torch.get_num_threads()} threads"
        parts.append(f"measured on {name}{threads}")
        flops = flops or _product(dtype, device)
        if neurons is None:
            oat, hg = _neurons(config, device)
    return Speed(flops, oat, hg, "; ".join(parts))


def _product(dtype: torch.dtype, device: torch.device) -> float:
    """Flops of a matrix product."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    return 2 * size**3 / _seconds(lambda: a @ a, device)


def _neurons(config: SpikeConfig, device: torch.device) -> tuple[float, float]:
    """Seconds that an OAT and an HG neuron take for a value."""
    x = torch.randn(2**26 if device.type == "cuda" else 2**20, device=device)
    largest = MT(1.0, config.time_steps, config.levels, config.rounding).largest
    bands = [2.0 ** (band - config.bands) for band in range(config.bands)]  # of the range, ±8
    oat = OAT(
        tuple(16 * band / largest for band in bands),
        tuple(16 * band for band in bands[:-1]),
        config.time_steps,
        config.levels,
        config.rounding,
    )
    hg = fit(FUNCTIONS["gelu"], -8.0, 8.0, config.time_steps).neuron
    coding = _seconds(lambda: code_oat(x, oat), device), _seconds(lambda: code_hg(x, hg), device)
    return coding[0] / len(x), coding[1] / len(x)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """The mean time of a run, after a first one that may compile."""
    run()
    runs, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < _MOMENT:
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        runs += 1
    return passed / runs

"""HG neurons as arrays and plain data, for adapters and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from las.neurons.hg import HG, Array, Octaves


def pack(neuron: HG) -> tuple[dict[str, Any], dict[str, Array]]:
    """Split a neuron into plain data and float64 arrays "offset" and "slope", each (N,)."""
    data = {
        "function": neuron.function,
        "time_steps": neuron.time_steps,
        "low": neuron.low,
        "high": neuron.high,
    }
    for name in ("negative", "positive"):
        octaves: Octaves | None = getattr(neuron, name)
        data[name] = (
            None
            if octaves is None
            else {
                "lowest": octaves.lowest,
                "splits": list(octaves.splits),
                "silent_beyond": octaves.silent_beyond,
            }
            | ({"start": octaves.start} if octaves.start else {})
        )
    return data, {"offset": neuron.offset, "slope": neuron.slope}


def unpack(data: Mapping[str, Any], arrays: Mapping[str, Array]) -> HG:
    """Inverse of `pack`."""
    octaves = {
        name: Octaves(
            side["lowest"], tuple(side["splits"]), side["silent_beyond"], side.get("start", 0.0)
        )
        for name in ("negative", "positive")
        if (side := data[name]) is not None
    }
    return HG(
        data["function"],
        data["time_steps"],
        octaves.get("negative"),
        octaves.get("positive"),
        arrays["offset"],
        arrays["slope"],
        data["low"],
        data["high"],
    )

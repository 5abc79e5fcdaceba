"""HG neurons as tensors and plain data, for adapters and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from las.neurons.hg import HG, Octaves


def pack(neuron: HG) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Split a neuron into plain data and float64 tensors "offset" and "slope", each (N,)."""
    data = {
        "function": neuron.function,
        "time_steps": neuron.time_steps,
        "low": neuron.low,
        "high": neuron.high,
    }
    for name in ("negative", "positive"):
        octaves: Octaves = getattr(neuron, name)
        data[name] = {
            "lowest": octaves.lowest,
            "splits": list(octaves.splits),
            "silent_beyond": octaves.silent_beyond,
        }
    return data, {
        "offset": torch.from_numpy(neuron.offset),
        "slope": torch.from_numpy(neuron.slope),
    }


def unpack(data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> HG:
    """Inverse of `pack`."""
    octaves = {
        name: Octaves(
            data[name]["lowest"], tuple(data[name]["splits"]), data[name]["silent_beyond"]
        )
        for name in ("negative", "positive")
    }
    return HG(
        data["function"],
        data["time_steps"],
        octaves["negative"],
        octaves["positive"],
        np.asarray(tensors["offset"], dtype=np.float64),
        np.asarray(tensors["slope"], dtype=np.float64),
        data["low"],
        data["high"],
    )

"""Which device holds which part of a model, as accelerate distributes it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from las.planning.cards import CARDS, Card

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GB = 1e9


@dataclass(frozen=True)
class Devices:
    """The memory that is there, in bytes.

    Attributes:
        gpus: of each GPU.
        cpu: of the processor.
        disk: free on the disk; None if it does not matter.
        card: the kind of the GPUs, whose nominal speed is taken; None if it is not known.
    """

    gpus: tuple[float, ...]
    cpu: float
    disk: float | None = None
    card: Card | None = None


@dataclass(frozen=True)
class Placement:
    """Where the weights are.

    Attributes:
        modules: paths by device, "GPU 0", "CPU" and "disk".
        bytes: their weights by device.
        reserved: bytes kept free of weights on each device that computes.
        moved: bytes that each forward pass brings to a GPU from the CPU.
        read: bytes that it reads from the disk.
    """

    modules: dict[str, list[str]]
    bytes: dict[str, float]
    reserved: float
    moved: float
    read: float


def parse_gpus(text: str) -> tuple[float, ...]:
    """Read "8x24" as eight GPUs of 24 GB (1e9 bytes) each, and "2xH100" as two of that name.

    Raises:
        ValueError: anything else.
    """
    card = parse_card(text)
    if card is not None:
        return (card.memory,) * int(text.partition("x")[0])
    found = re.fullmatch(r"(\d+)x(\d+(?:\.\d+)?)", text)
    if found is None or int(found[1]) == 0 or float(found[2]) == 0:
        raise ValueError(
            f"GPUs are given as NUMBERxGB, e.g. 8x24, or by name, e.g. 2xH100 "
            f"({', '.join(CARDS)}), not {text!r}"
        )
    return (float(found[2]) * GB,) * int(found[1])


def parse_card(text: str) -> Card | None:
    """The kind of GPU that "2xH100" names; None where memory is given."""
    found = re.fullmatch(rf"[1-9]\d*x({'|'.join(CARDS)})", text)
    return None if found is None else CARDS[found[1]]


def place(model: PreTrainedModel, devices: Devices, reserved: float) -> Placement:
    """Fill one device after the other, GPUs first, the disk last.

    Layers are not split. `device_map="auto"` of transformers distributes them more evenly.

    Arguments:
        model: on the meta device, in the dtype of its weights.
        devices: what there is.
        reserved: bytes that a device needs for computing, beside weights.

    Raises:
        ValueError: a device is too small for computing, even without weights.
    """
    from accelerate import infer_auto_device_map

    computing = min(devices.gpus, default=devices.cpu)
    if reserved >= computing:
        raise ValueError(
            f"activations take {reserved / GB:.1f} GB, a device has {computing / GB:.1f} GB: plan "
            "for a smaller batch or shorter sequences"
        )
    room: dict[int | str, int] = {i: int(size - reserved) for i, size in enumerate(devices.gpus)}
    room["cpu"] = int(devices.cpu - (0 if devices.gpus else reserved))
    layers = sorted(model._no_split_modules or [])
    with _quiet(logging.getLogger("accelerate.utils.modeling")):  # GPUs need not be here
        found = infer_auto_device_map(model, room, no_split_module_classes=layers)
    modules: dict[str, list[str]] = {}
    held: dict[str, float] = {}
    seen: set[nn.Parameter] = set()
    for path, device in found.items():
        name = f"GPU {device}" if isinstance(device, int) else {"cpu": "CPU"}.get(device, device)
        modules.setdefault(name, []).append(path)
        part = _part(model, path)
        held[name] = held.get(name, 0.0) + sum(
            parameter.nbytes for parameter in part if parameter not in seen
        )
        seen.update(part)
    return Placement(
        modules,
        held,
        reserved,
        moved=held.get("CPU", 0.0) if devices.gpus else 0.0,
        read=held.get("disk", 0.0),
    )


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _part(model: nn.Module, path: str) -> list[nn.Parameter]:
    """The parameters of a module, or the one of that name."""
    own = dict(model.named_parameters(remove_duplicate=False))
    if path in own:
        return [own[path]]
    return list(model.get_submodule(path).parameters())

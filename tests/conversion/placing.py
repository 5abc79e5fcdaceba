"""Ways in which accelerate keeps weights away from where they are needed, without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import cpu_offload, disk_offload, dispatch_model

CPU = torch.device("cpu")


def device_map(model: Any) -> dict[str, str]:
    """Every second layer in memory, all else on disk.

    Layers have more than one module; tied weights share a place, as accelerate's own maps have it.
    """
    places: dict[str, str] = {}

    def place(module: Any, path: str) -> None:
        for name, _ in module.named_parameters(recurse=False):
            places[f"{path}.{name}"] = "disk"
        for name, child in module.named_children():
            below = f"{path}.{name}".lstrip(".")
            if isinstance(child, torch.nn.ModuleList):
                for i in range(len(child)):
                    places[f"{below}.{i}"] = "cpu" if i % 2 else "disk"
            elif any(isinstance(part, torch.nn.ModuleList) for part in child.modules()):
                place(child, below)
            else:
                places[below] = "disk"

    place(model, "")
    return places


def _mixed(model: Any, folder: Path) -> Any:
    return dispatch_model(model, device_map(model), main_device="cpu", offload_dir=str(folder))


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "memory": lambda model, folder: cpu_offload(model, execution_device=CPU),
    "disk": lambda model, folder: disk_offload(model, str(folder), execution_device=CPU),
    "mixed": _mixed,
}


def away(model: Any) -> Iterator[str]:
    """The parameters that are not where they are needed."""
    return (name for name, parameter in model.named_parameters() if parameter.is_meta)

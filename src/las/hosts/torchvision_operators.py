"""A torchvision whose compiled part does not load beside this torch, made importable.

transformers imports torchvision wherever it is installed. The wheel of the package index is built
for CUDA; beside a CPU build of torch its operators are missing, the import fails, and with it that
of every model class. Nothing here calls those operators: they only have to be declared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from las.hosts.import_hook import around_import

_MISSING = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def make_torchvision_importable() -> None:
    """Declare the missing operators of torchvision if its import fails because of them."""
    if "torchvision" not in sys.modules:
        around_import("torchvision", _execute)


def _execute(torchvision: Callable[[], None]) -> None:
    try:
        torchvision()
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        import torch

        for name in _MISSING:
            torch.library.define(f"torchvision::{name}", _SIGNATURE)
        for module in [name for name in sys.modules if name.startswith("torchvision.")]:
            del sys.modules[module]
        torchvision()

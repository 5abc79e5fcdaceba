"""A torchvision whose compiled part does not load beside this torch, made importable.

transformers imports torchvision wherever it is installed. The wheel of the package index is built
for CUDA; beside a CPU build of torch its operators are missing, the import fails, and with it that
of every model class. Nothing here calls those operators: they only have to be declared.
"""

from __future__ import annotations

import importlib.util
import sys

_MISSING = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def define_missing_operators() -> None:
    """Make `import torchvision` work where it is installed; has to precede that of transformers.

    Raises:
        RuntimeError: torchvision fails to import for another reason.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        import torch

        for name in _MISSING:
            torch.library.define(f"torchvision::{name}", _SIGNATURE)
        for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[module]
        import torchvision  # noqa: F401

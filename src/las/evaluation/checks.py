"""What must hold before and while a model is scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from las.errors import UnsupportedModelError


def refuse_dense_checkpoint(model: nn.Module) -> None:
    """Refuse a spiking checkpoint that was loaded as the dense model it came from.

    transformers loads a checkpoint whose `quant_method` it does not know as the dense model, with
    only a warning. Scoring that would report the original's figures as the spiking model's.

    Raises:
        UnsupportedModelError: the config says "las", but no module of the model is of this library.
    """
    quantization = getattr(getattr(model, "config", None), "quantization_config", None)
    method: Any
    if isinstance(quantization, Mapping):
        method = quantization.get("quant_method")
    else:
        method = getattr(quantization, "quant_method", None)
    if getattr(method, "value", method) != "las":
        return
    if not any(type(module).__module__.startswith("las.") for module in model.modules()):
        raise UnsupportedModelError(
            "this checkpoint says that it is spiking (quant_method 'las'), but it was loaded as"
            " the dense model: `import las` before from_pretrained, then load it again"
        )


def require_finite(values: Tensor, which: str, where: str) -> None:
    """Raise a ValueError naming the model and the place if any value is NaN or infinite."""
    if not torch.isfinite(values).all():
        raise ValueError(
            f"the {which} gives NaN or infinite values on {where}: it cannot be scored"
        )

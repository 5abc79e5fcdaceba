"""Which parts of a model read images, and how many tokens an image is."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def vision_towers(model: nn.Module) -> dict[str, PreTrainedModel]:
    """The vision towers of a model by module path; a model that is one itself has the path ""."""
    from transformers import PreTrainedModel  # it takes a second, which light stages do without

    towers: dict[str, PreTrainedModel] = {}
    for path, module in model.named_modules():
        if not isinstance(module, PreTrainedModel):
            continue
        inside = any(not outer or path.startswith(f"{outer}.") for outer in towers)
        if not inside and type(module.config).base_config_key == "vision_config":
            towers[path] = module
    return towers


def image_tokens(model: nn.Module, pixels: Tensor) -> int:
    """The number of patches of some images; where a model tells no patch size, that of images.

    Arguments:
        model: a transformers model that reads images.
        pixels: (..., channels, height, width), or patches already, (patches, values).
    """
    if pixels.dim() == 2:
        return len(pixels)
    config: Any = model.config
    patch = getattr(getattr(config, "vision_config", config), "patch_size", None)
    *images, _, height, width = pixels.shape
    return prod(images) * (1 if patch is None else (height // patch) * (width // patch))

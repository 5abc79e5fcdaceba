"""The stacks of a model that read tokens: one, or an encoder's and a decoder's."""

from __future__ import annotations

from typing import Any

from torch import nn


def stacks(model: nn.Module) -> dict[str, nn.Module]:
    """The encoder and the decoder of a model by module path, or the model itself, path "".

    Arguments:
        model: a transformers model.
    """
    whole: Any = model
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        both = (whole.get_encoder(), whole.get_decoder())
        if model not in both:  # where there is none, transformers returns the model
            paths = {module: path for path, module in model.named_modules()}
            return {paths[stack]: stack for stack in both}
    return {"": model}

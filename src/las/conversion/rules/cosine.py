"""Models of two towers that compare their embeddings: CLIP, SigLIP and the like."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from las.components.cosine import SpikingCosine
from las.conversion.registry import convert_module, structure
from las.conversion.rules.linear import is_linear

_COMPARES = {"text_embeds", "image_embeds", "logits_per_text"}
"""What the forward of such a model calls its embeddings and their cosine."""


def compares_embeddings(module: nn.Module) -> bool:
    """Whether a model's forward multiplies the embeddings of two towers, and scales the product."""
    if not isinstance(module, PreTrainedModel):
        return False
    forward = inspect.unwrap(type(module).forward)
    if not isinstance(forward, FunctionType):
        return False
    code = forward.__code__
    return set(code.co_varnames) >= _COMPARES and "logit_scale" in code.co_names


@structure(compares_embeddings)
def spiking_cosine(model: Any, _: bool) -> nn.Module:
    """The model stays; what its towers return, or its projections of that, knows the cosine."""
    towers = [name for name, child in model.named_children() if is_linear(child)]
    for name in towers:
        setattr(model, name, convert_module(getattr(model, name)))
    names = towers or [name for name, _ in model.named_children()]
    SpikingCosine(names).add_to(model)
    return model

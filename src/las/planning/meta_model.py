"""A model without weights: shapes and modules alone, from its config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from las.errors import UnsupportedModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def meta_model(config: Any, dtype: torch.dtype) -> PreTrainedModel:
    """A model on the meta device, of the class that its config names.

    Raises:
        UnsupportedModelError: transformers has no such model.
    """
    named = (config.architectures or [""])[0]
    model_class = getattr(transformers, named, None)
    try:
        with torch.device("meta"):
            if model_class is not None:
                model: PreTrainedModel = model_class._from_config(config, dtype=dtype)
            else:
                model = transformers.AutoModel.from_config(
                    config, dtype=dtype, trust_remote_code=False
                )
    except ValueError as error:
        raise UnsupportedModelError(
            f"transformers knows no model for a config of type {config.model_type!r}"
        ) from error
    return model.eval()

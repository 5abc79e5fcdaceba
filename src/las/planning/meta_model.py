"""A model without weights: shapes and modules alone, from its config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from las.errors import UnsupportedModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def read_config(source: str | Path) -> Any:
    """A model's config, and nothing else of it.

    Arguments:
        source: a name on the hub, a model's directory, or a config.json.

    Raises:
        FileNotFoundError: a path that does not exist.
        OSError, ValueError: no config is found, or it is none of transformers.
    """
    if str(source).startswith((".", "/", "~")) and not Path(source).exists():
        raise FileNotFoundError(f"no such model directory or config.json: {source}")
    return transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)


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

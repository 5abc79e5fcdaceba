"""The model of a cell, which pipeline.fetch or pipeline.pretrain wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from las.hosts import loading
from las.hosts.loading import load_reader

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["load_model", "load_reader"]


def load_model(directory: Path, cfg: DictConfig) -> PreTrainedModel:
    """Load the model of a cell, in its dtype and where the placement has it, ready to evaluate."""
    placement: Any = OmegaConf.to_container(cfg.placement, resolve=True)
    return loading.load_model(
        directory,
        cfg.model.kind,
        dtype=cfg.model.get("dtype", "float32"),
        local_only=True,
        **{option: value for option, value in placement.items() if value is not None},
    )

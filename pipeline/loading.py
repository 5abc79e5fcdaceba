"""The model of a cell, which pipeline.fetch or pipeline.pretrain wrote."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.records import content_digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_model(directory: Path, cfg: DictConfig) -> PreTrainedModel:
    """Load the model of a cell, in its dtype and where the placement has it, ready to evaluate."""
    from las.hosts import loading

    placement: Any = OmegaConf.to_container(cfg.placement, resolve=True)
    return loading.load_model(
        directory,
        cfg.model.kind,
        dtype=cfg.model.get("dtype", "float32"),
        local_only=True,
        **{option: value for option, value in placement.items() if value is not None},
    )


def model_and_reader(directory: Path, cfg: DictConfig) -> tuple[PreTrainedModel, Any]:
    """The model of a cell and its tokenizer or processor; all cells in a row get the same ones."""
    how = OmegaConf.to_yaml(OmegaConf.create(paths.how_loaded(cfg)))
    return _loaded(directory, content_digest(directory), how)


@lru_cache(maxsize=1)
def _loaded(directory: Path, content: str, how: str) -> tuple[PreTrainedModel, Any]:
    from las.hosts.loading import load_reader

    cfg = OmegaConf.create(how)
    assert isinstance(cfg, DictConfig)
    return load_model(directory, cfg), load_reader(directory, cfg.model.kind)

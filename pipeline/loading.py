"""The models that pipeline.fetch wrote, for the stages that run one (it needs transformers)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from las.assets.model import MODEL_CLASSES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin


def load_model(directory: Path, cfg: DictConfig) -> PreTrainedModel:
    """Load the model of a cell, in its dtype and where the placement has it, ready to evaluate."""
    import transformers

    placement: Any = OmegaConf.to_container(cfg.placement, resolve=True)
    model_class = getattr(transformers, MODEL_CLASSES[cfg.model.kind])
    model: PreTrainedModel = model_class.from_pretrained(
        directory,
        dtype=cfg.model.get("dtype", "float32"),
        local_files_only=True,
        **{option: value for option, value in placement.items() if value is not None},
    )
    return model.eval()


def load_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer that was saved with the model."""
    import transformers

    tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
        directory, local_files_only=True
    )
    return tokenizer


def load_reader(directory: Path, kind: str) -> PreTrainedTokenizerBase | ProcessorMixin:
    """Load what turns data into the model's inputs: its processor if it sees, or its tokenizer."""
    if kind == "vision_language":
        from las.assets.processor import load_processor

        return load_processor(directory)
    return load_tokenizer(directory)

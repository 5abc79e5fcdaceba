"""The models that pipeline.fetch wrote, for the stages that run one (it needs transformers)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from las.assets.model import MODEL_CLASSES

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin


def load_model(directory: Path, kind: str) -> PreTrainedModel:
    """Load the float32 model, ready to evaluate."""
    import torch
    import transformers

    model_class = getattr(transformers, MODEL_CLASSES[kind])
    model: PreTrainedModel = model_class.from_pretrained(
        directory, dtype=torch.float32, local_files_only=True
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

"""Processors of vision-language models: a tokenizer, an image processor and a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, ProcessorMixin


class Qwen2VLProcessor(transformers.Qwen2VLProcessor):
    """Qwen2-VL's processor for images alone: the part that reads videos needs torchvision.

    It is saved under the name that it has in transformers, with the settings of the video part,
    so that transformers itself loads it as well where torchvision is installed.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Return all settings, those of the image part also as the video part's."""
        settings: dict[str, Any] = super().to_dict()
        shared = ("patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std")
        settings["video_processor"] = {
            "video_processor_type": "Qwen2VLVideoProcessor",
            "size": dict(settings["image_processor"]["size"]),
            **{name: settings["image_processor"][name] for name in shared},
        }
        return settings


def load_processor(directory: Path) -> ProcessorMixin:
    """Load the processor of a vision-language model.

    Images are read by way of Pillow whether or not torchvision is installed, so that a model sees
    the same pixels everywhere.

    Arguments:
        directory: a Hugging Face directory with the files of model, tokenizer and processor.

    Raises:
        OSError, ValueError: files are missing or damaged; the message of transformers names them.
    """
    config = AutoConfig.from_pretrained(directory, local_files_only=True)
    model_type = config.model_type
    processor_class = Qwen2VLProcessor if model_type == "qwen2_vl" else AutoProcessor
    processor = processor_class.from_pretrained(directory, local_files_only=True)
    processor.image_processor = AutoImageProcessor.from_pretrained(
        directory, backend="pil", local_files_only=True
    )
    return processor

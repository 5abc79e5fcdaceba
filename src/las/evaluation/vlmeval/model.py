"""A vision-language model in memory as VLMEvalKit calls one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from las.evaluation.checks import require_finite
from las.evaluation.vlmeval.prompts import Prompt
from las.hosts.offload import input_device

Message = Sequence[Mapping[str, str]]
"""Pieces of a prompt: each with a `type`, "image" or "text", and a `value`, a file or a text."""


class ChatModel:
    """Answers greedily, one item at a time.

    Attributes:
        seconds: time spent in the model's `generate`.
    """

    is_api = False

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        *,
        which: str,
        prompt: Prompt | None,
        max_new_tokens: int,
    ) -> None:
        """Wrap `model`; `which` ("ANN" or "SNN") names it in errors.

        Without `prompt`, an item is asked as VLMEvalKit's set does it.
        """
        self.model, self.processor, self.which = model, processor, which
        self.prompt, self.max_new_tokens = prompt, max_new_tokens
        self.seconds = 0.0
        self._image_files: Callable[[Mapping[str, Any]], Sequence[str]] | None = None

    def set_dump_image(self, image_files: Callable[[Mapping[str, Any]], Sequence[str]]) -> None:
        """Take the function that writes an item's images to files and names them."""
        self._image_files = image_files

    def use_custom_prompt(self, dataset: str) -> bool:
        """Whether `build_prompt` is to be called, for any set."""
        return self.prompt is not None

    def build_prompt(self, item: Mapping[str, Any], dataset: str) -> list[dict[str, str]]:
        """All images of an item, then the text."""
        assert self.prompt is not None and self._image_files is not None
        images = [{"type": "image", "value": str(file)} for file in self._image_files(item)]
        return [*images, {"type": "text", "value": self.prompt(item)}]

    def generate(self, message: Message, dataset: str | None = None) -> str:
        """Answer a prompt.

        Raises:
            ValueError: the model gives NaN or infinite logits.
        """
        images = []
        for piece in message:
            if piece["type"] == "image":
                with Image.open(piece["value"]) as image:
                    images.append(image.convert("RGB"))
        inputs = self.processor(
            images=images or None, text=self.prompt_text(message), return_tensors="pt"
        ).to(input_device(self.model))
        start = time.perf_counter()
        output = self.model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=self.max_new_tokens,
            return_dict_in_generate=True,
            output_logits=True,
        )
        if output.sequences.device.type == "cuda":
            torch.cuda.synchronize(output.sequences.device)
        self.seconds += time.perf_counter() - start
        for logits in output.logits:
            require_finite(logits, self.which, f"a question of {dataset}")
        answer = output.sequences[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(answer, skip_special_tokens=True)
        return str(texts[0]).strip()

    def prompt_text(self, message: Message) -> str:
        """The text of a prompt, by the processor's chat template if it has one.

        Without a template it is the pieces in their order, an image as the processor's own token,
        with a space between them.
        """
        processor: Any = self.processor
        if getattr(processor, "chat_template", None):
            content = [
                {"type": "image"}
                if piece["type"] == "image"
                else {"type": "text", "text": piece["value"]}
                for piece in message
            ]
            return str(
                processor.apply_chat_template(
                    [{"role": "user", "content": content}],
                    add_generation_prompt=True,
                    tokenize=False,
                )
            )
        return " ".join(
            processor.image_token if piece["type"] == "image" else piece["value"]
            for piece in message
        )

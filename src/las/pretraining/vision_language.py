"""Vision-language models before their training: architecture, tokenizer, processor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    CLIPImageProcessorPil,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2VLImageProcessorPil,
)

from las.hosts.processor import Qwen2VLProcessor
from las.pretraining.word_tokenizer import word_tokenizer

LLAVA_CHAT = (
    "{% for message in messages %}{{ message['role'] | upper }}: "
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }} {% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
QWEN2_VL_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def untrained(
    architecture: Mapping[str, Any], image_size: int, texts: Iterable[str], seed: int
) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Make a vision-language model with random weights, and its processor.

    Both speak as the released models of their family do: the same conversation around a question,
    with one token for each word.

    Arguments:
        architecture: `model_type`, "llava" or "qwen2_vl", with `vision_config` and `text_config`:
            the fields of the transformers configurations, without those that follow from the
            tokenizer and the images.
        image_size: height and width of the images; the processor brings others to it.
        texts: what the model is to read and to write.
        seed: of the weights.

    Raises:
        ValueError: another `model_type`.
    """
    fields = dict(architecture)
    model_type = fields.pop("model_type", None)
    if model_type not in _FAMILIES:
        raise ValueError(f"model_type is one of {', '.join(_FAMILIES)}, not {model_type!r}")
    config, processor = _FAMILIES[model_type](fields, image_size, texts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    return model, processor


def _llava(
    fields: dict[str, Any], image_size: int, texts: Iterable[str]
) -> tuple[PreTrainedConfig, ProcessorMixin]:
    marks = ["<image>", "USER:", "ASSISTANT:"]
    tokenizer = word_tokenizer(texts, pad="<pad>", bos="<s>", eos="</s>", marks=marks)
    vision = {"model_type": "clip_vision_model"} | fields.pop("vision_config")
    images = CLIPImageProcessorPil(
        size={"shortest_edge": image_size},
        crop_size={"height": image_size, "width": image_size},
    )
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=vision["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # CLIP's class token, which "default" leaves out again
        chat_template=LLAVA_CHAT,
    )
    config = AutoConfig.for_model(
        "llava",
        vision_config=vision | {"image_size": image_size},
        text_config={"model_type": "llama"} | fields.pop("text_config") | _tokens(tokenizer),
        image_token_id=processor.image_token_id,
        image_seq_length=(image_size // vision["patch_size"]) ** 2,
        **fields,
    )
    return config, processor


def _qwen2_vl(
    fields: dict[str, Any], image_size: int, texts: Iterable[str]
) -> tuple[PreTrainedConfig, ProcessorMixin]:
    marks = ["<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = word_tokenizer(
        [*texts, "user assistant"], pad="<|endoftext|>", bos=None, eos="<|im_end|>", marks=marks
    )
    vision = {"spatial_merge_size": 2, "temporal_patch_size": 2} | fields.pop("vision_config")
    images = Qwen2VLImageProcessorPil(
        size={"shortest_edge": image_size**2, "longest_edge": image_size**2},
        patch_size=vision["patch_size"],
        temporal_patch_size=vision["temporal_patch_size"],
        merge_size=vision["spatial_merge_size"],
    )
    processor = Qwen2VLProcessor(images, tokenizer, chat_template=QWEN2_VL_CHAT)
    start, end, image, video = tokenizer.convert_tokens_to_ids(marks[1:])
    config = AutoConfig.for_model(
        "qwen2_vl",
        vision_config=vision,
        text_config=fields.pop("text_config") | _tokens(tokenizer),
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
        **fields,
    )
    return config, processor


def _tokens(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


_FAMILIES: dict[
    str, Callable[[dict[str, Any], int, Iterable[str]], tuple[PreTrainedConfig, ProcessorMixin]]
] = {"llava": _llava, "qwen2_vl": _qwen2_vl}

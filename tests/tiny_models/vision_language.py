"""Tiny language models that see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tests.tiny_models.batches import (
    IMAGE,
    IMAGE_SIZE,
    PATCH,
    images_in_texts,
    patches_in_texts,
    seen_texts,
)
from tests.tiny_models.tiny_model import (
    END,
    PAD,
    SPREAD,
    START,
    VOCABULARY,
    Batch,
    BatchMaker,
    Change,
    Sizes,
    TinyModel,
    index,
)
from tests.tiny_models.vision import (
    SEEING,
    SIZES,
    each,
    massive_filter,
    massive_gamma,
    massive_place,
    massive_start,
)

_TALKING = SIZES | dict(
    vocab_size=VOCABULARY,
    num_key_value_heads=2,
    max_position_embeddings=128,
    initializer_range=SPREAD,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=END,
)
_SQUARES = SIZES | dict(image_size=IMAGE_SIZE, patch_size=3)  # 4 x 4 of them
_TOKENS = dict(image_token_id=IMAGE, video_token_id=4, vision_start_token_id=5)
_TOKENS |= dict(vision_end_token_id=6)


def _qwen_text(**options: Any) -> dict[str, Any]:
    rope = dict(rope_type="default", rope_theta=10000.0, mrope_section=[2, 1, 1])
    return _TALKING | dict(rope_parameters=rope) | options


def _qwen_vision(**options: Any) -> dict[str, Any]:
    return dict(depth=2, num_heads=4, patch_size=PATCH, spatial_merge_size=2) | options


_QWEN2 = _qwen_vision(embed_dim=32, hidden_size=32)
_QWEN2_5 = _qwen_vision(
    hidden_size=32,
    out_hidden_size=32,
    intermediate_size=48,
    window_size=2 * PATCH,  # the windows of its first layer; its second layer sees whole images
    fullatt_block_indexes=[1],
)
_QWEN3 = _qwen_vision(
    hidden_size=32,
    out_hidden_size=32,
    intermediate_size=48,
    num_position_embeddings=16,
    deepstack_visual_indexes=[0],
)


def _tiles_in_texts(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Images of 12 x 24 pixels: the whole at 12 x 12, and two tiles; newlines end their rows."""
    whole, rows, columns = 4, 2, 4
    parts = whole + rows * (columns + 1)
    batch = seen_texts(generator, sizes, [parts] * sizes.rows)
    size = (sizes.rows, 3, 3, IMAGE_SIZE, IMAGE_SIZE)
    return batch | {
        "pixel_values": torch.randn(size, generator=generator),
        "image_sizes": torch.tensor([[IMAGE_SIZE, 2 * IMAGE_SIZE]] * sizes.rows),
    }


def _sized_images_in_texts(generator: torch.Generator, sizes: Sizes) -> Batch:
    batch = images_in_texts(4)(generator, sizes)
    return batch | {"image_sizes": torch.tensor([[IMAGE_SIZE, IMAGE_SIZE]] * sizes.rows)}


def _typed_images_in_texts(generator: torch.Generator, sizes: Sizes) -> Batch:
    """With a mark at every token that stands for a part of an image."""
    batch = images_in_texts(4)(generator, sizes)
    return batch | {"token_type_ids": (batch["input_ids"] == IMAGE).int()}


def _talker(
    name: str,
    family: str,
    kind: str,
    options: Mapping[str, Any],
    batch: BatchMaker,
    in_tower: Change,
    rounds: bool = False,
) -> TinyModel:
    plant = each(in_tower, massive_start)
    return TinyModel(name, family, kind, options, batch, plant=plant, generates=True, rounds=rounds)


_QWEN_PATCHES = massive_filter("model.visual.patch_embed.proj.weight")
_TOWER_GAMMA = massive_gamma("model.vision_tower.pre_layrnorm.weight")
_VISION_POSITION = massive_place("model.vision_model.embeddings.position_embedding.weight", 2)
_SIGLIP_POSITION = massive_place("model.vision_tower.embeddings.position_embedding.weight", 2)
_LLAMA = _TALKING | dict(model_type="llama")
_IDEFICS = dict(vision_config=_SQUARES, text_config=_LLAMA, scale_factor=2, image_token_id=IMAGE)
_SIGLIP = _SQUARES | dict(model_type="siglip_vision_model", vision_use_head=False)

MODELS = index(
    _talker(
        "llava",
        "LLaVA-1.5",
        "LlavaForConditionalGeneration",
        dict(
            vision_config=SEEING | dict(model_type="clip_vision_model"),
            text_config=_LLAMA,
            image_token_id=IMAGE,
        ),
        images_in_texts(),
        _TOWER_GAMMA,
    ),
    _talker(
        "qwen2-vl",
        "Qwen2-VL",
        "Qwen2VLForConditionalGeneration",
        dict(text_config=_qwen_text(), vision_config=_QWEN2) | _TOKENS,
        patches_in_texts,
        _QWEN_PATCHES,
        rounds=True,
    ),
    _talker(
        "qwen2.5-vl",
        "Qwen2.5-VL",
        "Qwen2_5_VLForConditionalGeneration",
        dict(text_config=_qwen_text(), vision_config=_QWEN2_5) | _TOKENS,
        patches_in_texts,
        _QWEN_PATCHES,
        rounds=True,
    ),
    _talker(
        "qwen3-vl",
        "Qwen3-VL",
        "Qwen3VLForConditionalGeneration",
        dict(text_config=_qwen_text(head_dim=8), vision_config=_QWEN3) | _TOKENS,
        patches_in_texts,
        _QWEN_PATCHES,
        rounds=True,
    ),
    _talker(
        "gemma3-vision",
        "Gemma 3 (with its vision tower)",
        "Gemma3ForConditionalGeneration",
        dict(
            text_config=_TALKING | dict(head_dim=8, query_pre_attn_scalar=8, sliding_window=6),
            vision_config=_SIGLIP,
            image_token_id=IMAGE,
            image_token_index=IMAGE,
            boi_token_index=5,
            eoi_token_index=6,
            mm_tokens_per_image=4,
        ),
        _typed_images_in_texts,
        _SIGLIP_POSITION,
    ),
    _talker(
        "idefics3",
        "Idefics3",
        "Idefics3ForConditionalGeneration",
        _IDEFICS,
        images_in_texts(4, frames=1),
        _VISION_POSITION,
    ),
    _talker(
        "internvl",
        "InternVL",
        "InternVLForConditionalGeneration",
        dict(
            vision_config=SIZES | dict(image_size=(IMAGE_SIZE, IMAGE_SIZE), patch_size=(3, 3)),
            text_config=_TALKING | dict(model_type="qwen2"),
            image_token_id=IMAGE,
            image_seq_length=4,
        ),
        images_in_texts(4),
        massive_place("model.vision_tower.embeddings.cls_token", 0, 0),
    ),
    _talker(
        "llava-next",
        "LLaVA-NeXT",
        "LlavaNextForConditionalGeneration",
        dict(
            vision_config=SEEING | dict(model_type="clip_vision_model", patch_size=6),
            text_config=_LLAMA,
            image_token_id=IMAGE,
            image_token_index=IMAGE,
            image_grid_pinpoints=[[IMAGE_SIZE, 2 * IMAGE_SIZE], [2 * IMAGE_SIZE, IMAGE_SIZE]],
        ),
        _tiles_in_texts,
        _TOWER_GAMMA,
    ),
    _talker(
        "mistral3",
        "Mistral 3 (with its vision tower)",
        "Mistral3ForConditionalGeneration",
        dict(
            vision_config=_SQUARES | dict(model_type="pixtral", head_dim=8),
            text_config=_TALKING | dict(model_type="mistral", head_dim=8),
            image_token_id=IMAGE,
            image_token_index=IMAGE,
            spatial_merge_size=2,
        ),
        _sized_images_in_texts,
        massive_filter("model.vision_tower.patch_conv.weight"),
    ),
    _talker(
        "paligemma",
        "PaliGemma",
        "PaliGemmaForConditionalGeneration",
        dict(
            vision_config=SEEING | dict(model_type="siglip_vision_model", vision_use_head=False),
            text_config=_TALKING | dict(model_type="gemma", head_dim=8),
            projection_dim=32,
            image_token_id=IMAGE,
            image_token_index=IMAGE,
        ),
        images_in_texts(),
        _SIGLIP_POSITION,
    ),
    _talker(
        "smolvlm",
        "SmolVLM",
        "SmolVLMForConditionalGeneration",
        _IDEFICS,
        images_in_texts(4, frames=1),
        _VISION_POSITION,
    ),
)

"""Tiny models that see, or that lay images and texts side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tests.tiny_models.batches import IMAGE_SIZE, PATCH, captions, images, images_and_captions
from tests.tiny_models.tiny_model import (
    CHANNEL,
    END,
    HIDDEN,
    MASSIVE,
    PAD,
    SPREAD,
    START,
    VOCABULARY,
    Batch,
    Change,
    Sizes,
    TinyModel,
    index,
)

SIZES: dict[str, Any] = dict(
    hidden_size=HIDDEN, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4
)
SEEING = SIZES | dict(image_size=IMAGE_SIZE, patch_size=PATCH)
TEXT = SIZES | dict(
    vocab_size=VOCABULARY,
    max_position_embeddings=64,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=END,
)
_STATES = ("last_hidden_state",)
_POOLED = ("last_hidden_state", "pooler_output")
_COSINES = ("logits_per_image", "logits_per_text", "image_embeds", "text_embeds")
_BOTH: dict[str, Any] = dict(vision_config=SEEING, text_config=TEXT)
_CLIP = _BOTH | dict(projection_dim=16, num_labels=5)
_LABELLED = SEEING | dict(num_labels=5)


def massive_start(model: Any) -> None:
    """One channel of the embedding of token 1, beside neighbours as `redraw` draws them."""
    model.get_input_embeddings().weight[START, CHANNEL] = MASSIVE * SPREAD


def massive_gamma(path: str) -> Change:
    """One channel of the norm at a path."""

    def plant(model: Any) -> None:
        model.get_parameter(path)[CHANNEL] = MASSIVE

    return plant


def massive_place(path: str, *place: int) -> Change:
    """One channel of a table of positions, or of a token of the model's own, at one place of it."""

    def plant(model: Any) -> None:
        model.get_parameter(path)[(*place, CHANNEL)] = MASSIVE * SPREAD

    return plant


def massive_filter(path: str) -> Change:
    """One channel of all that a convolution or a linear layer makes."""

    def plant(model: Any) -> None:
        model.get_parameter(path)[CHANNEL] *= MASSIVE

    return plant


def each(*changes: Change) -> Change:
    """One after the other."""

    def plant(model: Any) -> None:
        for change in changes:
            change(model)

    return plant


def _identity_order(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Images whose patches a masked autoencoder neither hides nor shuffles."""
    noise = torch.linspace(0, 1, (IMAGE_SIZE // PATCH) ** 2).expand(sizes.rows, -1)
    return images(generator, sizes) | {"noise": noise}


def _patches(generator: torch.Generator, sizes: Sizes) -> Batch:
    """Images of 4 x 4 patches; the last one of 2 x 4, padded."""
    shapes = torch.full((sizes.rows, 2), 4)
    mask = torch.ones(sizes.rows, 16, dtype=torch.int64)
    shapes[-1, 0], mask[-1, 8:] = 2, 0
    patches = torch.randn(sizes.rows, 16, 3 * PATCH * PATCH, generator=generator)
    return {"pixel_values": patches, "pixel_attention_mask": mask, "spatial_shapes": shapes}


def _patches_and_captions(generator: torch.Generator, sizes: Sizes) -> Batch:
    return _patches(generator, sizes) | captions(generator, sizes)


def _seeing(
    name: str,
    family: str,
    kind: str,
    options: Mapping[str, Any],
    plant: Change,
    outputs: tuple[str, ...] = ("logits",),
) -> TinyModel:
    return TinyModel(name, family, kind, options, images, outputs, plant=plant)


_GAMMA = "pre_layrnorm.weight"
_POSITION = "embeddings.position_embeddings"
_SIGLIP_POSITION = massive_place("embeddings.position_embedding.weight", 2)
_TOWER_POSITION = massive_place("vision_model.embeddings.position_embedding.weight", 2)
_BEIT = SEEING | dict(use_absolute_position_embeddings=True)
_DINO2 = SEEING | dict(mlp_ratio=2)

MODELS = index(
    _seeing("clip-vision", "CLIP", "CLIPVisionModel", SEEING, massive_gamma(_GAMMA), _POOLED),
    TinyModel("clip-text", "CLIP", "CLIPTextModel", TEXT, captions, _POOLED, plant=massive_start),
    _seeing(
        "clip-vision-projection",
        "CLIP",
        "CLIPVisionModelWithProjection",
        SEEING | dict(projection_dim=16),
        massive_gamma(f"vision_model.{_GAMMA}"),
        ("image_embeds",),
    ),
    TinyModel(
        "clip-text-projection",
        "CLIP",
        "CLIPTextModelWithProjection",
        TEXT | dict(projection_dim=16),
        captions,
        ("text_embeds",),
        plant=massive_start,
    ),
    _seeing(
        "clip-classification",
        "CLIP",
        "CLIPForImageClassification",
        _CLIP,
        massive_gamma(f"vision_model.{_GAMMA}"),
    ),
    _seeing("siglip-vision", "SigLIP", "SiglipVisionModel", SEEING, _SIGLIP_POSITION, _POOLED),
    _seeing(
        "siglip-vision-without-head",
        "SigLIP",
        "SiglipVisionModel",
        SEEING | dict(vision_use_head=False),
        _SIGLIP_POSITION,
        _STATES,
    ),
    _seeing("vit", "ViT", "ViTModel", SEEING, massive_place(_POSITION, 0, 2), _POOLED),
    _seeing(
        "vit-classification",
        "ViT",
        "ViTForImageClassification",
        _LABELLED,
        massive_place(f"vit.{_POSITION}", 0, 2),
    ),
    TinyModel(
        "clip",
        "CLIP",
        "CLIPModel",
        _CLIP,
        images_and_captions,
        _COSINES,
        plant=each(
            massive_gamma(f"vision_model.{_GAMMA}"),
            massive_place("text_model.embeddings.token_embedding.weight", START),
        ),
    ),
    TinyModel(
        "chinese-clip",
        "Chinese CLIP",
        "ChineseCLIPModel",
        _BOTH | dict(projection_dim=16),
        images_and_captions,
        _COSINES,
        plant=each(
            massive_gamma(f"vision_model.{_GAMMA}"),
            massive_place("text_model.embeddings.word_embeddings.weight", START),
        ),
    ),
    TinyModel(
        "siglip",
        "SigLIP",
        "SiglipModel",
        _BOTH,
        images_and_captions,
        _COSINES,
        plant=each(
            _TOWER_POSITION, massive_place("text_model.embeddings.token_embedding.weight", START)
        ),
    ),
    TinyModel(
        "siglip2-vision",
        "SigLIP 2",
        "Siglip2VisionModel",
        SIZES | dict(patch_size=PATCH, num_patches=16),
        _patches,
        _POOLED,
        plant=_SIGLIP_POSITION,
    ),
    TinyModel(
        "siglip2",
        "SigLIP 2",
        "Siglip2Model",
        dict(vision_config=SIZES | dict(patch_size=PATCH, num_patches=16), text_config=TEXT),
        _patches_and_captions,
        _COSINES,
        plant=each(
            _TOWER_POSITION, massive_place("text_model.embeddings.token_embedding.weight", START)
        ),
    ),
    _seeing("beit", "BEiT", "BeitModel", _BEIT, massive_place(_POSITION, 0, 2), _POOLED),
    _seeing(
        "beit-classification",
        "BEiT",
        "BeitForImageClassification",
        _LABELLED | dict(use_relative_position_bias=True),
        massive_place("beit.embeddings.cls_token", 0, 0),
    ),
    _seeing(
        "data2vec-vision",
        "Data2Vec (vision)",
        "Data2VecVisionForImageClassification",
        _LABELLED | dict(use_shared_relative_position_bias=True),
        massive_place("data2vec_vision.embeddings.cls_token", 0, 0),
    ),
    _seeing(
        "deit-classification",
        "DeiT",
        "DeiTForImageClassification",
        _LABELLED,
        massive_place(f"deit.{_POSITION}", 0, 2),
    ),
    _seeing(
        "deit-distilled",
        "DeiT",
        "DeiTForImageClassificationWithTeacher",
        _LABELLED,
        massive_place(f"deit.{_POSITION}", 0, 2),
    ),
    _seeing("dinov2", "DINOv2", "Dinov2Model", _DINO2, massive_place(_POSITION, 0, 2), _POOLED),
    _seeing(
        "dinov2-swiglu",
        "DINOv2",
        "Dinov2ForImageClassification",
        _DINO2 | dict(use_swiglu_ffn=True, num_labels=5),
        massive_place(f"dinov2.{_POSITION}", 0, 2),
    ),
    _seeing(
        "dinov2-registers",
        "DINOv2 with registers",
        "Dinov2WithRegistersModel",
        _DINO2 | dict(num_register_tokens=2),
        massive_place("embeddings.register_tokens", 0, 1),
        _POOLED,
    ),
    _seeing(
        "dinov3",
        "DINOv3 ViT",
        "DINOv3ViTModel",
        SEEING | dict(num_register_tokens=2),
        massive_place("embeddings.register_tokens", 0, 1),
        _POOLED,
    ),
    _seeing(
        "dinov3-gated",
        "DINOv3 ViT",
        "DINOv3ViTModel",
        SEEING | dict(use_gated_mlp=True, hidden_act="silu"),
        massive_place("embeddings.cls_token", 0, 0),
        _POOLED,
    ),
    TinyModel(
        "vit-mae",
        "ViT-MAE (encoder)",
        "ViTMAEModel",
        SEEING | dict(mask_ratio=0.0),
        _identity_order,
        _STATES,
        plant=massive_place("embeddings.cls_token", 0, 0),
    ),
    _seeing(
        "swin-classification",
        "Swin",
        "SwinForImageClassification",
        dict(
            image_size=IMAGE_SIZE,
            patch_size=2,
            embed_dim=HIDDEN,
            depths=[2, 2],
            num_heads=[2, 4],
            window_size=3,
            num_labels=5,
        ),
        massive_filter("swin.embeddings.patch_embeddings.projection.weight"),
    ),
)
SEES = [name for name, model in MODELS.items() if model.batch is not captions]

"""Tiny models of every family that sees: random in every parameter, with massive activations.

A new family is one entry of `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

VOCABULARY = 64
SPREAD = 0.3
MASSIVE = 1000.0  # times its neighbours
CHANNEL = 7  # which is massive
PAD, START, IMAGE, FIRST_WORD = 0, 1, 3, 8
PATCH, IMAGE_SIZE = 4, 12

_SIZES: dict[str, Any] = dict(
    hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4
)
_SEEING = _SIZES | dict(image_size=IMAGE_SIZE, patch_size=PATCH)
_TALKING = _SIZES | dict(
    vocab_size=VOCABULARY,
    num_key_value_heads=2,
    max_position_embeddings=128,
    initializer_range=SPREAD,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=2,
)

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Family:
    """A tiny model and what it is called with.

    Attributes:
        make: the model, as its config makes it.
        plant: gives it massive activations.
        batch: random inputs from a generator, so many rows.
        outputs: what is compared of its output.
        writes: whether it generates text.
    """

    make: Callable[[], Any]
    plant: Callable[[Any], None]
    batch: Callable[[torch.Generator, int], Batch]
    outputs: tuple[str, ...]
    writes: bool = False

    def build(self) -> Any:
        """The model: no parameter is left at a constant."""
        torch.manual_seed(0)
        model = self.make().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:  # biases and gammas
                    parameter += 0.2 * torch.randn_like(parameter)
                else:
                    parameter.normal_(0, SPREAD)
            self.plant(model)
        return model

    def batches(self, count: int = 4, rows: int = 4, seed: int = 1) -> list[Batch]:
        """Random batches."""
        generator = torch.Generator().manual_seed(seed)
        return [self.batch(generator, rows) for _ in range(count)]

    def read(self, model: Any, batch: Batch) -> list[Tensor]:
        """The outputs of a model, without the massive channel, beside which no error would show."""
        output = model(**batch)
        tensors = [getattr(output, name) for name in self.outputs]
        others = torch.arange(_SIZES["hidden_size"]) != CHANNEL
        return [x[..., others] if x.shape[-1] == len(others) else x for x in tensors]


def _images(generator: torch.Generator, rows: int) -> Batch:
    return {"pixel_values": torch.randn(rows, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)}


def _texts(
    generator: torch.Generator, rows: int, images: list[int], length: int = 24, padding: int = 5
) -> Batch:
    """Each row begins with token 1 and an image of so many tokens; the last one is padded."""
    ids = torch.randint(FIRST_WORD, VOCABULARY, (rows, length), generator=generator)
    ids[:, 0] = START
    for row, tokens in enumerate(images):
        ids[row, 1 : 1 + tokens] = IMAGE
    mask = torch.ones_like(ids)
    if rows > 1:
        mask[-1, -padding:] = 0
        ids[-1, -padding:] = PAD
    return {"input_ids": ids, "attention_mask": mask}


def _captions(generator: torch.Generator, rows: int) -> Batch:
    return _texts(generator, rows, [])


def _images_and_texts(generator: torch.Generator, rows: int) -> Batch:
    patches = (IMAGE_SIZE // PATCH) ** 2
    return _texts(generator, rows, [patches] * rows) | _images(generator, rows)


def _patches_and_texts(generator: torch.Generator, rows: int) -> Batch:
    """Images of different sizes, cut into patches of two frames each; 2 x 2 patches are a token."""
    grids = [(1, 4, 6) if row % 2 else (1, 4, 4) for row in range(rows)]
    sizes = [frames * height * width for frames, height, width in grids]
    texts = _texts(generator, rows, [size // 4 for size in sizes])
    return texts | {
        "pixel_values": torch.randn(sum(sizes), 3 * 2 * PATCH * PATCH, generator=generator),
        "image_grid_thw": torch.tensor(grids),
        "mm_token_type_ids": (texts["input_ids"] == IMAGE).int(),
    }


def _massive_word(model: Any) -> None:
    model.get_input_embeddings().weight[START, CHANNEL] = MASSIVE * SPREAD


def _massive_clip(model: Any) -> None:
    model.pre_layrnorm.weight[CHANNEL] = MASSIVE


def _massive_clip_inside(model: Any) -> None:
    _massive_clip(model.vision_model)


def _massive_siglip(model: Any) -> None:
    model.embeddings.position_embedding.weight[2, CHANNEL] = MASSIVE * SPREAD


def _massive_vit(model: Any) -> None:
    model.base_model.embeddings.position_embeddings[0, 2, CHANNEL] = MASSIVE * SPREAD


def _massive_llava(model: Any) -> None:
    _massive_clip(model.model.vision_tower)
    _massive_word(model)


def _massive_qwen(model: Any) -> None:
    model.model.visual.patch_embed.proj.weight[CHANNEL] *= MASSIVE
    _massive_word(model)


_CLIP_TEXT: dict[str, Any] = _SIZES | dict(
    vocab_size=VOCABULARY,
    max_position_embeddings=64,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=2,
)


def clip(kind: Any) -> Any:
    """A model of both towers' config."""
    options: Any = dict(vision_config=_SEEING, text_config=_CLIP_TEXT)
    return kind(CLIPConfig(**options, projection_dim=16, num_labels=5))


def _llava() -> Any:
    vision, text = CLIPVisionConfig(**_SEEING), LlamaConfig(**_TALKING)
    return LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_id=IMAGE)
    )


def _qwen_options(**vision: Any) -> dict[str, Any]:
    sizes = dict(depth=2, num_heads=4, patch_size=PATCH, spatial_merge_size=2)
    rope = dict(rope_type="default", rope_theta=10000.0, mrope_section=[2, 1, 1])
    return dict(
        text_config=_TALKING | dict(rope_parameters=rope),
        vision_config=sizes | vision,
        image_token_id=IMAGE,
        video_token_id=4,
        vision_start_token_id=5,
        vision_end_token_id=6,
    )


def _qwen2() -> Any:
    options = _qwen_options(embed_dim=32, hidden_size=32)
    return Qwen2VLForConditionalGeneration(Qwen2VLConfig(**options))


def _qwen2_5() -> Any:
    """The windows of its first layer are of 2 x 2 patches, its second layer sees whole images."""
    options = _qwen_options(
        hidden_size=32,
        out_hidden_size=32,
        intermediate_size=48,
        window_size=2 * PATCH,
        fullatt_block_indexes=[1],
    )
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**options))


_HIDDEN = ("last_hidden_state", "pooler_output")

FAMILIES: dict[str, Family] = {
    "clip-vision": Family(
        lambda: CLIPVisionModel(CLIPVisionConfig(**_SEEING)), _massive_clip, _images, _HIDDEN
    ),
    "clip-text": Family(
        lambda: CLIPTextModel(CLIPTextConfig(**_CLIP_TEXT)), _massive_word, _captions, _HIDDEN
    ),
    "clip-vision-projection": Family(
        lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**_SEEING, projection_dim=16)),
        _massive_clip_inside,
        _images,
        ("image_embeds",),
    ),
    "clip-text-projection": Family(
        lambda: CLIPTextModelWithProjection(CLIPTextConfig(**_CLIP_TEXT, projection_dim=16)),
        _massive_word,
        _captions,
        ("text_embeds",),
    ),
    "clip-classification": Family(
        lambda: clip(CLIPForImageClassification), _massive_clip_inside, _images, ("logits",)
    ),
    "siglip-vision": Family(
        lambda: SiglipVisionModel(SiglipVisionConfig(**_SEEING)), _massive_siglip, _images, _HIDDEN
    ),
    "siglip-vision-without-head": Family(
        lambda: SiglipVisionModel(SiglipVisionConfig(**_SEEING, vision_use_head=False)),
        _massive_siglip,
        _images,
        _HIDDEN[:1],
    ),
    "vit": Family(lambda: ViTModel(ViTConfig(**_SEEING)), _massive_vit, _images, _HIDDEN),
    "vit-classification": Family(
        lambda: ViTForImageClassification(ViTConfig(**_SEEING, num_labels=5)),
        _massive_vit,
        _images,
        ("logits",),
    ),
    "llava": Family(_llava, _massive_llava, _images_and_texts, ("logits",), writes=True),
    "qwen2-vl": Family(_qwen2, _massive_qwen, _patches_and_texts, ("logits",), writes=True),
    "qwen2.5-vl": Family(_qwen2_5, _massive_qwen, _patches_and_texts, ("logits",), writes=True),
}

"""Which parts of a model read images."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from las.hosts.towers import image_tokens, vision_towers
from tests import tiny_models


@pytest.mark.parametrize(
    ("family", "paths"),
    [
        ("clip-vision", [""]),
        ("siglip-vision", [""]),
        ("clip-text", []),
        ("llava", ["model.vision_tower"]),
        ("qwen2-vl", ["model.visual"]),
        ("qwen2.5-vl", ["model.visual"]),
    ],
)
def test_towers_are_found_wherever_they_are(family, paths):
    assert list(vision_towers(tiny_models.build(family))) == paths


@pytest.mark.parametrize(
    ("config", "shape", "tokens"),
    [
        ({"patch_size": 4}, (2, 3, 12, 8), 2 * 3 * 2),
        ({"patch_size": 4}, (2, 5, 3, 12, 8), 2 * 5 * 3 * 2),
        ({"vision_config": SimpleNamespace(patch_size=6)}, (2, 3, 12, 12), 2 * 4),
        ({"patch_size": 4}, (24, 96), 24),
        ({}, (2, 3, 12, 8), 2),
    ],
)
def test_an_image_is_as_many_tokens_as_it_has_patches(config, shape, tokens):
    model = SimpleNamespace(config=SimpleNamespace(**config))
    assert image_tokens(model, torch.zeros(shape)) == tokens

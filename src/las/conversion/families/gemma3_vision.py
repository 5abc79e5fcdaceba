"""Gemma 3's way from pictures to words, which multiplies by a matrix of its own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from las.components.linear import SpikingProjection
from las.conversion.registry import convert_module, known


class SpikingGemma3Projector(SpikingProjection):
    """Means of neighbouring patches (fixed weights), a norm, and a linear layer (Eq. 10).

    Attributes:
        mm_input_projection_weight: the very parameter of the module it replaces, (vision, text).
        mm_soft_emb_norm: the norm.
        avg_pool: the means.
    """

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.mm_input_projection_weight = module.mm_input_projection_weight
        self.mm_soft_emb_norm = convert_module(module.mm_soft_emb_norm)
        self.avg_pool = module.avg_pool
        self.patches_per_image = module.patches_per_image

    def forward(self, x: Tensor) -> Tensor:
        """x: (images, patches, vision) -> (images, tokens, text)."""
        side = self.patches_per_image
        means = self.avg_pool(x.mT.reshape(*x.shape[::2], side, side))
        tokens = self.mm_soft_emb_norm(means.flatten(2).mT)
        return self.project(tokens, self.mm_input_projection_weight.T, None).type_as(x)


@known("Gemma3MultiModalProjector")
def _projector(module: Any) -> nn.Module:
    return SpikingGemma3Projector(module)

"""DeBERTa's head of masked language models, which reads its matrix off the embeddings."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from las.components.linear import SpikingProjection
from las.conversion.registry import convert_module, known


class SpikingTiedHead(SpikingProjection):
    """A transform, and a linear layer whose weights are the embeddings (Eq. 10).

    Attributes:
        dense, transform_act_fn, LayerNorm: the transform, spiking.
        bias: the very parameter of the module it replaces, (vocabulary,).
    """

    def __init__(self, head: Any) -> None:
        super().__init__()
        for name, part in head.named_children():
            self.add_module(name, convert_module(part))
        self.bias = head.bias

    def forward(self, x: Tensor, word_embeddings: nn.Embedding) -> Tensor:
        """x: (..., hidden) -> (..., vocabulary)."""
        for part in ("dense", "transform_act_fn", "LayerNorm"):
            x = self.get_submodule(part)(x)
        return self.project(x, word_embeddings.weight, self.bias)


@known("DebertaLMPredictionHead", "DebertaV2LMPredictionHead")
def _tied_head(head: Any) -> nn.Module:
    return SpikingTiedHead(head)

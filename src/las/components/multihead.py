"""Spike-equivalent of `nn.MultiheadAttention`, as pooling heads have it (Section 4.2.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from las.components.attention import SpikingAttention
from las.components.component import SpikingComponent
from las.components.linear import SpikingLinear, SpikingProjection, spiking_linear
from las.errors import UnsupportedModelError


class SpikingMultiheadAttention(SpikingComponent):
    """Queries of one tensor, keys and values of another, which spikes once for both of them.

    Attributes:
        in_proj_weight: the very parameter of the module it replaces, (3 width, width): the rows of
            queries, keys and values.
        in_proj_bias: likewise, (3 width,) or None.
        out_proj: what reads the context.
        heads: the number of heads.
    """

    equations = "Section 4.2.1"

    in_proj_bias: nn.Parameter | None

    def __init__(
        self,
        in_proj_weight: nn.Parameter,
        in_proj_bias: nn.Parameter | None,
        out_proj: SpikingLinear,
        heads: int,
    ) -> None:
        super().__init__()
        self.in_proj_weight = in_proj_weight
        self.register_parameter("in_proj_bias", in_proj_bias)
        self.out_proj = out_proj
        self.heads = heads
        self.query = SpikingProjection()
        self.memory = SpikingProjection()
        self.attention = SpikingAttention()

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        """Attend.

        Arguments:
            query: (B, L, width).
            key: (B, S, width).
            value: the same tensor.
            key_padding_mask: (B, S), boolean, true for keys that nobody sees, or numbers that are
                added to the scores.
            need_weights: of no effect: there are no weights to return.
            attn_mask: (L, S) or (B heads, L, S), likewise.
            average_attn_weights: of no effect.
            is_causal: of no effect: `attn_mask` says it.

        Returns:
            (B, L, width), and None for the weights of `nn.MultiheadAttention`.

        Raises:
            UnsupportedModelError: keys and values are made of two tensors.
        """
        if key is not value:
            raise UnsupportedModelError(
                f"{self.name} makes keys and values of two tensors, which its spike-equivalent "
                "does not do"
            )
        width = query.shape[-1]
        bias = self.in_proj_bias
        own, others = (None, None) if bias is None else bias.split([width, 2 * width])
        asking, remembering = self.in_proj_weight.split([width, 2 * width])
        q = self._heads(self.query.project(query, asking, own))
        k, v = self.memory.project(key, remembering, others).chunk(2, dim=-1)
        scale = q.shape[-1] ** -0.5
        mask = self._mask(attn_mask, key_padding_mask, q)
        context = self.attention(q, self._heads(k), self._heads(v), mask, scale)
        return self.out_proj(context.transpose(1, 2).flatten(2)), None

    def _mask(
        self, of_pairs: Tensor | None, of_keys: Tensor | None, query: Tensor
    ) -> Tensor | None:
        """Both masks in one, broadcastable to (B, heads, L, S).

        Boolean ones say what takes part; others are added to the scores.
        """
        if of_pairs is not None:
            three = of_pairs.dim() == 3
            of_pairs = of_pairs.unflatten(0, (-1, self.heads)) if three else of_pairs[None, None]
        if of_keys is not None:
            of_keys = of_keys[:, None, None]
        masks = [mask for mask in (of_pairs, of_keys) if mask is not None]
        if masks and all(mask.dtype == torch.bool for mask in masks):
            return ~(masks[0] | masks[-1])
        added = [_added(mask, query) for mask in masks]
        if len(added) < 2:
            return added[0] if added else None
        return (added[0] + added[1]).clamp_min(torch.finfo(query.dtype).min)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, width) -> (B, heads, L, width / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _added(mask: Tensor, query: Tensor) -> Tensor:
    """A mask of `nn.MultiheadAttention` as numbers: the lowest where it hides."""
    if mask.dtype != torch.bool:
        return mask.to(query.dtype)
    lowest = torch.finfo(query.dtype).min
    return torch.zeros_like(mask, dtype=query.dtype).masked_fill(mask, lowest)


def spiking_multihead_attention(module: Any) -> SpikingMultiheadAttention:
    """The spike-equivalent of `nn.MultiheadAttention`.

    Raises:
        UnsupportedModelError: it has extra keys, widths of their own for keys and values, or the
            batch in the second dimension.
    """
    extra = module.bias_k is not None or module.add_zero_attn
    if extra or module.in_proj_weight is None or not module.batch_first:
        raise UnsupportedModelError(
            "MultiheadAttention has a spike-equivalent only with batch_first=True and without "
            "add_bias_kv, add_zero_attn, kdim and vdim"
        )
    return SpikingMultiheadAttention(
        module.in_proj_weight,
        module.in_proj_bias,
        spiking_linear(module.out_proj),
        module.num_heads,
    )

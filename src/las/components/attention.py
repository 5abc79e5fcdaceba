"""Spike-equivalent self-attention (Section 4.2.1), registered with transformers by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from las.components.modes import simulating
from las.components.saa import multiply_steps
from las.components.site import OATSite, accumulate
from las.components.softmax import SpikingSoftmax
from las.errors import UnsupportedModelError
from las.neurons.coded import Coded
from las.neurons.tally import current_tally

NAME = "las"
CHILD = "spiking_attention"


class SpikingAttention(nn.Module):
    """softmax(phi(Q) phi(K)^T / sqrt(d)) and phi(P) phi(V): two SAA products and a softmax.

    The scale 1/sqrt(d) is a fixed weight on the accumulated products.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.query = OATSite(token_dim=2)
        self.key = OATSite(token_dim=2)
        self.value = OATSite(token_dim=2)
        self.softmax = SpikingSoftmax()
        self.probability = OATSite(token_dim=2)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        """Attend.

        Arguments:
            query: (B, H, L, D).
            key: (B, H_kv, S, D), H a multiple of H_kv.
            value: (B, H_kv, S, D).
            mask: additive, broadcastable to (B, H, L, S), lowest where not allowed; or boolean.
            scale: 1/sqrt(D).

        Returns:
            (B, H, L, D).
        """
        allowed = _allowed(mask, key.shape[-2])
        bias = None if mask is None or mask.dtype == torch.bool else mask[..., : key.shape[-2]]
        if allowed is not None and bias is not None:
            bias = bias.masked_fill(~allowed, 0)
            bias = bias if bool(bias.any()) else None  # a mask like most others adds nothing
        groups = query.shape[1] // key.shape[1]
        if simulating():
            return self._simulate(query, key, value, allowed, bias, scale, groups)
        q, k, v = self.query(query), self.key(key), self.value(value)
        scores = q.value @ _expand(k.value, groups).mT * scale
        if bias is not None:
            scores = scores + bias
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        p = self.probability(self.softmax(scores))
        if current_tally() is not None:
            self._count(q, k, v, p, allowed, groups)
        return p.value @ _expand(v.value, groups)

    def _simulate(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        allowed: Tensor | None,
        bias: Tensor | None,
        scale: float,
        groups: int,
    ) -> Tensor:
        keys = (_expand(spikes, groups).mT for spikes in self.key.steps(key))
        products = multiply_steps(self.query.steps(query), keys, torch.matmul)
        scores = _weigh(products, scale, bias)
        probability = accumulate(self.softmax.simulate(scores, allowed))
        values = (_expand(spikes, groups) for spikes in self.value.steps(value))
        return accumulate(multiply_steps(self.probability.steps(probability), values, torch.matmul))

    def _count(
        self, q: Coded, k: Coded, v: Coded, p: Coded, allowed: Tensor | None, groups: int
    ) -> None:
        """Each spike adds one stored row of the other operand, as far as the mask lets it."""
        tally = current_tally()
        assert tally is not None and q.counts is not None and k.counts is not None
        assert v.counts is not None and p.counts is not None
        heads, queries, keys = p.counts.shape[1:]
        width = q.counts.shape[-1]
        seen = torch.ones(1, 1, queries, keys, dtype=torch.bool)
        if allowed is not None:
            seen = allowed.to("cpu")
        seen = seen.expand(q.counts.shape[0], seen.shape[1], queries, keys)
        keys_of_query = seen.sum(-1)  # (B, 1 or H, L)
        queries_of_key = seen.sum(-2)  # (B, 1 or H, S)
        pairs = int(seen.sum()) * heads // seen.shape[1]

        def rows(counts: Tensor) -> Tensor:
            return _expand(counts.sum(-1, dtype=torch.int64)[..., None], heads // counts.shape[1])[
                ..., 0
            ].to("cpu")

        scores = int((rows(q.counts) * keys_of_query).sum())
        scores += int((rows(k.counts) * queries_of_key).sum())
        context = p.spikes * width + int((rows(v.counts) * queries_of_key).sum())
        for part, sops in (("scores", scores), ("context", context)):
            tally.add_operations(
                f"{self.name}.{part}", self.name, "matmul", sops=sops, macs=pairs * width
            )


def _allowed(mask: Tensor | None, keys: int) -> Tensor | None:
    """Which entries a mask lets through, (B, 1 or H, L, S), or None for all."""
    if mask is None:
        return None
    mask = mask[..., :keys]
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def _weigh(products: Iterator[Tensor], scale: float, bias: Tensor | None) -> Iterator[Tensor]:
    """Scale each increment; a bias is a constant current of the first time step."""
    for t, increment in enumerate(products):
        scaled = increment * scale
        yield scaled if bias is None or t > 0 else scaled + bias


def _expand(x: Tensor, groups: int) -> Tensor:
    """(B, H_kv, S, D) -> (B, H_kv * groups, S, D): grouped-query attention."""
    return x if groups == 1 else x.repeat_interleave(groups, dim=1)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The attention function that transformers calls.

    Raises:
        UnsupportedModelError: the attention module was not converted, or asks for something that
            spiking attention does not do.
    """
    for name in ("softcap", "s_aux", "position_bias", "head_mask"):
        if kwargs.get(name) is not None:
            raise UnsupportedModelError(
                f"{type(module).__name__} asks for {name}, which spiking attention does not do"
            )
    attention = getattr(module, CHILD, None)
    if not isinstance(attention, SpikingAttention):
        raise UnsupportedModelError(
            f"{type(module).__name__} has no spike-equivalent attention; register one with "
            "las.conversion.converts"
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attention(query, key, value, attention_mask, scale).transpose(1, 2).contiguous(), None


def register() -> None:
    """Tell transformers about the attention and its mask; harmless when repeated."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, eager_mask)

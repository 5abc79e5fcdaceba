"""What a baseline leaves float, and what that costs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from las.baselines.part import Part, count_dense
from las.baselines.site import Site
from las.conversion.rules.linear import is_linear
from las.errors import UnsupportedModelError

ATTENTION = "las-baseline"
"""The name of the attention with transformers."""

PRODUCTS = "float_products"


class FloatLayer(Part):
    """A linear layer that reads values.

    Attributes:
        outputs: of the layer.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def hook(self, layer: nn.Module, args: tuple[Any, ...]) -> None:
        """A forward pre-hook of the layer."""
        if self.t and self.run.counting:
            x = self.unpadded(args[0])
            weights = x.shape[-1] * self.outputs
            count_dense(self, self.serves, "linear", x.numel() * self.outputs, weights)


class FloatProducts(Part):
    """The two products of an attention module, and its softmax, of values."""

    token_dim = 2

    def told(self, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None) -> None:
        """Count one call.

        Arguments:
            query: (B, H, L, D).
            key: (B, H_kv, S, D).
            value: (B, H_kv, S, D_v).
            allowed: bool, broadcastable to (B, H, L, S); None for all.
        """
        if not (self.t and self.run.counting):
            return
        batch, heads, queries, width = query.shape
        seen = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=query.device)
        if allowed is not None:
            seen = seen & allowed[..., : key.shape[2]]
        padding = None if self.run.masks is None else self.run.masks.padding_of(self, query)
        if padding is not None:
            seen = seen & ~padding[:, :1, :, None]  # which is that of all heads
        alike = heads // seen.shape[1]
        pairs = int(seen.expand(batch, -1, queries, key.shape[2]).sum()) * alike
        count_dense(self, f"{self.serves}.scores", "matmul", pairs * width)
        count_dense(self, f"{self.serves}.context", "matmul", pairs * value.shape[-1])


def left_float(model: nn.Module) -> dict[str, int]:
    """The kinds of modules that a baseline leaves float, and how many there are of each.

    Embeddings, which multiply nothing, and dropout are left out. What a model computes between
    modules, as the product in a gated feed-forward network, is float too, and not listed.

    Arguments:
        model: what `las.baselines.convert` returned.

    Raises:
        UnsupportedModelError: it is none.
    """
    if not any(isinstance(module, Site) for module in model.modules()):
        raise UnsupportedModelError(
            f"{type(model).__name__} is no baseline: las.baselines.convert makes one, and "
            "las.audit looks at the models of las.convert"
        )
    found: Counter[str] = Counter()
    for module in model.modules():
        parts = [child for child in module.children() if isinstance(child, Part)]
        if isinstance(module, (Part, nn.Embedding, nn.Dropout, nn.Identity)):
            continue
        if any(isinstance(part, FloatProducts) for part in parts):
            found["attention's products and softmax"] += 1
        elif is_linear(module):
            found[type(module).__name__] += not any(isinstance(part, Site) for part in parts)
        elif next(module.children(), None) is None:
            found[type(module).__name__] += 1
    return {kind: number for kind, number in found.items() if number}


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
    """Attention on values as transformers calls it, (B, H, L, D) to (B, L, H, D_v), and counted.

    Raises:
        UnsupportedModelError: the module asks for something else than scores, softmax, context.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    for name in ("softcap", "s_aux", "position_bias", "head_mask"):
        if kwargs.get(name) is not None:
            raise UnsupportedModelError(
                f"{type(module).__name__} asks for {name}, which the attention of baselines does "
                "not do: las.convert does"
            )
    products = getattr(module, PRODUCTS, None)
    if products is None:
        products = FloatProducts()
        module.add_module(PRODUCTS, products)
    products.told(query, key, value, attention_mask)
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout, scaling, **kwargs
    )


def register() -> None:
    """Tell transformers about the attention and its mask."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    def boolean_mask(*args: Any, **kwargs: Any) -> Tensor | None:
        """A mask for every causal attention too, so that hidden keys are not counted."""
        return sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})

    AttentionInterface.register(ATTENTION, attend)
    AttentionMaskInterface.register(ATTENTION, boolean_mask)


register()

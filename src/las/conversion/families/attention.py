"""Attention modules that call the attention interface of transformers."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.attention import CHILD, SpikingAttention
from las.components.cache import code_on_entry
from las.components.linear import spiking_linear
from las.conversion.registry import converts
from las.errors import UnsupportedModelError


@converts(
    "BertSelfAttention",
    "CLIPAttention",
    "DistilBertSelfAttention",
    "GPT2Attention",
    "GPTNeoXAttention",
    "Gemma3Attention",
    "LlamaAttention",
    "MistralAttention",
    "OPTAttention",
    "Phi3Attention",
    "Qwen2Attention",
    "Qwen2VLAttention",
    "Qwen2_5_VLAttention",
    "Qwen2_5_VLVisionAttention",
    "Qwen3Attention",
    "RobertaSelfAttention",
    "SiglipAttention",
    "ViTAttention",
    "VisionAttention",
)
def spiking_attention(module: Any, cap: float | None = None) -> nn.Module:
    """Attention modules stay; what they hand to transformers' attention interface spikes.

    Arguments:
        module: an attention module that calls the interface.
        cap: at which the module caps its scores, or None.

    Raises:
        UnsupportedModelError: it attends to another sequence than its own.
    """
    if getattr(module, "is_cross_attention", False):
        raise UnsupportedModelError(f"{type(module).__name__} is a cross-attention")
    module.add_module(CHILD, SpikingAttention(cap))
    module.register_forward_pre_hook(code_on_entry, with_kwargs=True)
    return module


@converts("T5Attention", "MT5Attention", "UMT5Attention")
def _t5_attention(module: Any) -> nn.Module:
    """In cross-attention, keys and values are the encoder's: known by a decoder's missing mask."""
    spiking_attention(module)
    if module.is_decoder and not module.is_causal:
        module.k, module.v = spiking_linear(module.k), spiking_linear(module.v)
        attention = module.get_submodule(CHILD)
        for site in (module.k.site, module.v.site, attention.key, attention.value):
            site.of_encoder = True
    return module

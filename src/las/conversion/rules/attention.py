"""Attention modules that call the attention interface of transformers."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from las.components.attention import CHILD, SpikingAttention, stay_spiking
from las.components.cache import code_on_entry
from las.components.linear import SpikingProjection
from las.conversion.registry import convert_module, structure
from las.conversion.rules.methods import methods_of
from las.errors import UnsupportedModelError

_INTERFACE = "ALL_ATTENTION_FUNCTIONS"

_ENCODED = {("k", "v"), ("k_proj", "v_proj"), ("key", "value")}
"""The names of the layers by which a decoder reads its encoder."""


def calls_interface(module: nn.Module) -> bool:
    """Whether a method of a module's class looks its attention function up in the interface."""
    if isinstance(module, PreTrainedModel):
        return False  # it chooses which function its attention modules are to look up
    return any(_INTERFACE in method.__code__.co_names for method in methods_of(module))


@structure(calls_interface)
def spiking_attention(module: Any, _: bool) -> nn.Module:
    """The module stays; what it hands to the interface spikes.

    A decoder's attention to its encoder reads the encoder's tokens, which have padding of their
    own: calibration has to know.
    """
    module.add_module(CHILD, SpikingAttention(getattr(module, "attn_logit_softcapping", None)))
    module.register_forward_pre_hook(stay_spiking)
    if not _caches_latents(module):
        module.register_forward_pre_hook(code_on_entry, with_kwargs=True)
    if names := _readers_of_encoder(module):
        attention = module.get_submodule(CHILD)
        sites = [attention.key, attention.value]
        for name in names:
            layer = convert_module(getattr(module, name))
            assert isinstance(layer, SpikingProjection)
            setattr(module, name, layer)
            sites.append(layer.site)
        for site in sites:
            site.of_encoder = True
    return module


def _caches_latents(module: nn.Module) -> bool:
    """Whether a module caches what it makes keys and values of: multi-head latent attention.

    They are made anew, and spike anew, at each step of generation.
    """
    return hasattr(module, "kv_lora_rank")


def _readers_of_encoder(module: Any) -> tuple[str, ...]:
    """The layers that read an encoder's tokens, if it is a decoder's attention to its encoder.

    It is one if it hides no future from a decoder.

    Raises:
        UnsupportedModelError: it is one whose layers have names that are not known.
    """
    names = next((pair for pair in _ENCODED if hasattr(module, pair[0])), ())
    if getattr(module, "is_cross_attention", False) and not names:
        raise UnsupportedModelError(f"{type(module).__name__} is a cross-attention")
    decodes = getattr(module, "is_decoder", False) and not getattr(module, "is_causal", True)
    return names if decodes or getattr(module, "is_cross_attention", False) else ()

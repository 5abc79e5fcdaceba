"""Gemma 2 and the text models of Gemma 3: norms that weigh by 1 + weight, and capped logits."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation
from las.components.linear import spiking_linear
from las.components.norm import SpikingNorm
from las.components.potential import SpikingLinearInto
from las.conversion.families.attention import spiking_attention
from las.conversion.registry import converts


@converts("Gemma2RMSNorm", "Gemma3RMSNorm")
def _rms_norm(module: Any) -> nn.Module:
    return SpikingNorm(module.weight, None, module.eps, centred=False, offset=1.0)


@converts("Gemma2Attention")
def _capped_attention(module: Any) -> nn.Module:
    return spiking_attention(module, cap=module.attn_logit_softcapping)


@converts("Gemma2ForCausalLM", "Gemma3ForCausalLM")
def _capped_logits(model: Any) -> nn.Module:
    if model.config.final_logit_softcapping is not None:
        layer = spiking_linear(model.lm_head)
        model.lm_head = SpikingLinearInto(layer, SpikingActivation("tanh"))
    return model

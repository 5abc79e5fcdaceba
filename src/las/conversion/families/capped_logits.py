"""Capped logits: tanh of what the language model's head returns, in the model's own forward."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation
from las.components.linear import spiking_linear
from las.components.potential import SpikingLinearInto
from las.conversion.registry import known


@known("Gemma2ForCausalLM", "Gemma3ForCausalLM", "NanoChatForCausalLM", "VaultGemmaForCausalLM")
def _capped_logits(model: Any) -> nn.Module:
    if model.config.final_logit_softcapping is not None:
        layer = spiking_linear(model.lm_head)
        model.lm_head = SpikingLinearInto(layer, SpikingActivation("tanh"))
    return model

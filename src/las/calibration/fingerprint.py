"""The identity of a base model: what an adapter belongs to."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

_FIELDS = (
    "activation_function",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "head_dim",
    "hidden_act",
    "layer_norm_eps",
    "layer_norm_epsilon",
    "num_attention_heads",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "sliding_window",
)
"""What of a config changes the function that the same parameters compute."""


def fingerprint(model: nn.Module) -> str:
    """A digest of a model's parameters and of the config fields that change what they compute.

    Values are read in bfloat16, so that weights that were stored in it keep their identity in any
    precision.

    Arguments:
        model: a transformers model, converted or not.
    """
    digest = hashlib.sha256()
    config: Any = getattr(model, "config", None)
    for field in _FIELDS:
        digest.update(f"{field} {getattr(config, field, None)}".encode())
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        values = parameter.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16)
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()[:32]

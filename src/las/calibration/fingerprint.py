"""The identity of a base model: what an adapter belongs to."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import nn

from las.hosts.offload import named_weights

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

_FAMILY_FIELDS = (
    "activation",
    "alibi",
    "attention_multiplier",
    "clip_qkv",
    "dense_act_fn",
    "do_layer_norm_before",
    "embedding_multiplier",
    "global_attn_every_n_layers",
    "hidden_activation",
    "layer_types",
    "local_attention",
    "logit_scale",
    "logits_scaling",
    "new_decoder_architecture",
    "no_rope_layers",
    "norm_topk_prob",
    "num_experts_per_tok",
    "parallel_attn",
    "pos_att_type",
    "position_buckets",
    "query_pre_attn_scalar",
    "relative_attention_max_distance",
    "residual_multiplier",
    "scale_attn_by_inverse_layer_idx",
    "scale_attn_weights",
    "scale_decoder_outputs",
    "share_att_key",
    "swiglu_alpha",
    "swiglu_limit",
    "use_parallel_residual",
)
"""The same, of some families; what a model has not is no part of its identity."""

_MULTIMODAL_FIELDS = (
    "fullatt_block_indexes",
    "image_token_id",
    "patch_size",
    "projector_hidden_act",
    "spatial_merge_size",
    "video_token_id",
    "vision_feature_layer",
    "vision_feature_select_strategy",
    "window_size",
)
"""The same, of models that read images; what a model has not is no part of its identity."""


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
    parts = {name: getattr(config, name) for name in sorted(getattr(config, "sub_configs", {}))}
    for name, part in {"": config, **parts}.items():
        for field in (*(_FIELDS if name else ()), *_FAMILY_FIELDS, *_MULTIMODAL_FIELDS):
            if (value := getattr(part, field, None)) is not None:
                digest.update(f"{name} {field} {value}".encode())
    for name, parameter in named_weights(model):
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        values = parameter.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16)
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()[:32]

"""Tiny mixtures of experts."""

from __future__ import annotations

from typing import Any

from tests.tiny_models.batches import texts
from tests.tiny_models.language import GROUPED, SIZES, WINDOW
from tests.tiny_models.tiny_model import TinyModel, index

_FOUR: dict[str, Any] = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24)
_LOCAL: dict[str, Any] = dict(num_local_experts=4, num_experts_per_tok=2)
_ROUTED: dict[str, Any] = dict(
    n_routed_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=24,
    n_shared_experts=1,
    first_k_dense_replace=1,
    n_group=2,
    topk_group=1,
)
_LATENT: dict[str, Any] = dict(
    q_lora_rank=16,
    kv_lora_rank=16,
    qk_nope_head_dim=4,
    qk_rope_head_dim=4,
    v_head_dim=8,
    num_key_value_heads=4,
)


def _mixture(name: str, family: str, kind: str, options: Any) -> TinyModel:
    return TinyModel(name, family, kind, options, texts, generates=True)


MODELS = index(
    _mixture(
        "deepseek-v2",
        "DeepSeek-V2",
        "DeepseekV2ForCausalLM",
        SIZES | _ROUTED | _LATENT | dict(topk_method="greedy"),
    ),
    _mixture("deepseek-v3", "DeepSeek-V3", "DeepseekV3ForCausalLM", SIZES | _ROUTED | _LATENT),
    _mixture("glm4-moe", "GLM-4 MoE", "Glm4MoeForCausalLM", GROUPED | _ROUTED | dict(head_dim=8)),
    _mixture(
        "gpt-oss",
        "gpt-oss",
        "GptOssForCausalLM",
        GROUPED
        | _LOCAL
        | dict(
            head_dim=8,
            sliding_window=WINDOW,
            layer_types=["sliding_attention", "full_attention"],
            rope_parameters=dict(
                rope_type="yarn",
                rope_theta=10000.0,
                factor=4.0,
                original_max_position_embeddings=16,
                truncate=False,
            ),
        ),
    ),
    _mixture(
        "granite-moe",
        "Granite MoE",
        "GraniteMoeForCausalLM",
        GROUPED
        | _LOCAL
        | dict(
            embedding_multiplier=3.0,
            residual_multiplier=0.5,
            attention_multiplier=0.25,
            logits_scaling=2.0,
        ),
    ),
    _mixture("mixtral", "Mixtral", "MixtralForCausalLM", GROUPED | _LOCAL),
    _mixture("olmoe", "OLMoE", "OlmoeForCausalLM", GROUPED | _FOUR),
    _mixture("phi-moe", "Phi-MoE", "PhimoeForCausalLM", GROUPED | _LOCAL),
    _mixture(
        "qwen2-moe",
        "Qwen2-MoE",
        "Qwen2MoeForCausalLM",
        GROUPED | _FOUR | dict(shared_expert_intermediate_size=24),
    ),
    _mixture(
        "qwen3-moe",
        "Qwen3-MoE",
        "Qwen3MoeForCausalLM",
        GROUPED | _FOUR | dict(head_dim=8, norm_topk_prob=True),
    ),
)

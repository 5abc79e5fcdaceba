"""Architectures of two tiny models that see, for pictures of 16 x 16."""

from __future__ import annotations

from typing import Any

IMAGE_SIZE = 16
_TALKING: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.1,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llava": {
        "model_type": "llava",
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "vision_config": {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 4,
        },
        "text_config": _TALKING,
    },
    "qwen2_vl": {
        "model_type": "qwen2_vl",
        "vision_config": {
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 4,
            "initializer_range": 0.1,
        },
        "text_config": _TALKING
        | {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [2, 3, 3],
            }
        },
    },
}

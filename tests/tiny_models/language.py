"""Tiny decoders: language models, and other heads on the same layers."""

from __future__ import annotations

from typing import Any

from tests.tiny_models.batches import texts
from tests.tiny_models.tiny_model import (
    END,
    HIDDEN,
    PAD,
    SPREAD,
    START,
    VOCABULARY,
    TinyModel,
    index,
    jitter,
)

WINDOW = 6  # of sliding attention, shorter than the test sequences

SIZES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    hidden_size=HIDDEN,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
    initializer_range=SPREAD,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=END,
)
GROUPED = SIZES | dict(num_key_value_heads=2)
_OPT = {k: v for k, v in SIZES.items() if k not in ("intermediate_size", "initializer_range")}
_OPT |= dict(ffn_dim=48)
_OPT_350M = _OPT | dict(
    init_std=SPREAD / 2,  # its first attention reads embeddings that no norm has tamed
    do_layer_norm_before=False,
    word_embed_proj_dim=16,
)
_GPT2 = {k: v for k, v in SIZES.items() if k != "intermediate_size"} | dict(n_inner=48)
_MIXED_WINDOWS = dict(sliding_window=WINDOW, layer_types=["sliding_attention", "full_attention"])
_GEMMA = (
    GROUPED
    | _MIXED_WINDOWS
    | dict(head_dim=8, query_pre_attn_scalar=8, final_logit_softcapping=30.0)
)
_FALCON = SIZES | dict(ffn_hidden_size=48)


def _rope(**options: Any) -> dict[str, Any]:
    rope = dict(rope_type="default", rope_theta=10000.0)
    return dict(rope_parameters=rope | options)


def _known(name: str, family: str, kind: str, options: Any) -> TinyModel:
    return TinyModel(name, family, kind, options, texts, weights=jitter, generates=True)


def _writer(name: str, family: str, kind: str, options: Any) -> TinyModel:
    return TinyModel(name, family, kind, options, texts, generates=True)


DECODERS = index(
    _known("gpt2", "GPT-2", "GPT2LMHeadModel", _GPT2),
    _known("opt", "OPT", "OPTForCausalLM", _OPT | dict(init_std=SPREAD)),
    _known("opt-350m", "OPT", "OPTForCausalLM", _OPT_350M),
    _known("llama", "Llama", "LlamaForCausalLM", GROUPED),
    _known("mistral", "Mistral", "MistralForCausalLM", GROUPED | dict(sliding_window=WINDOW)),
    _known("qwen2", "Qwen2", "Qwen2ForCausalLM", GROUPED),
    _known("qwen3", "Qwen3", "Qwen3ForCausalLM", GROUPED | dict(head_dim=8)),
    _known("phi3", "Phi-3", "Phi3ForCausalLM", GROUPED),
    _known("gpt-neox", "GPT-NeoX", "GPTNeoXForCausalLM", SIZES | dict(rotary_pct=0.25)),
    _known(
        "gpt-neox-serial",
        "GPT-NeoX",
        "GPTNeoXForCausalLM",
        SIZES | dict(rotary_pct=0.5, use_parallel_residual=False),
    ),
    _known("gemma2", "Gemma 2", "Gemma2ForCausalLM", _GEMMA | dict(attn_logit_softcapping=20.0)),
    _known("gemma3", "Gemma 3", "Gemma3ForCausalLM", _GEMMA),
    _writer(
        "apertus",
        "Apertus",
        "ApertusForCausalLM",
        GROUPED
        | _rope(
            rope_type="llama3",
            factor=4.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        ),
    ),
    _writer("arcee", "Arcee", "ArceeForCausalLM", GROUPED),
    _writer("biogpt", "BioGPT", "BioGptForCausalLM", SIZES),
    _writer("bloom", "BLOOM", "BloomForCausalLM", SIZES),
    _writer("codegen", "CodeGen", "CodeGenForCausalLM", _GPT2 | dict(rotary_dim=4)),
    _writer("cohere", "Cohere", "CohereForCausalLM", GROUPED),
    _writer("cohere-normed", "Cohere", "CohereForCausalLM", GROUPED | dict(use_qk_norm=True)),
    _writer("cohere2", "Cohere 2", "Cohere2ForCausalLM", GROUPED | _MIXED_WINDOWS),
    _writer("ernie4.5", "Ernie 4.5", "Ernie4_5ForCausalLM", GROUPED | dict(head_dim=8)),
    _writer(
        "exaone4", "EXAONE 4", "Exaone4ForCausalLM", GROUPED | _MIXED_WINDOWS | dict(head_dim=8)
    ),
    _writer("falcon", "Falcon", "FalconForCausalLM", _FALCON),
    _writer(
        "falcon-alibi",
        "Falcon",
        "FalconForCausalLM",
        _FALCON | dict(alibi=True, multi_query=False, parallel_attn=False, bias=True),
    ),
    _writer(
        "falcon-new",
        "Falcon",
        "FalconForCausalLM",
        _FALCON | dict(new_decoder_architecture=True, num_kv_heads=2),
    ),
    _writer("gemma", "Gemma", "GemmaForCausalLM", GROUPED | dict(head_dim=8)),
    _writer(
        "glm",
        "GLM",
        "GlmForCausalLM",
        GROUPED | dict(head_dim=8) | _rope(partial_rotary_factor=0.5),
    ),
    _writer(
        "glm4",
        "GLM-4",
        "Glm4ForCausalLM",
        GROUPED | dict(head_dim=8) | _rope(partial_rotary_factor=0.5),
    ),
    _writer(
        "gpt-bigcode",
        "GPT-BigCode",
        "GPTBigCodeForCausalLM",
        _GPT2 | dict(multi_query=True),
    ),
    _writer(
        "gpt-neo",
        "GPT-Neo",
        "GPTNeoForCausalLM",
        SIZES | dict(attention_types=[[["global", "local"], 1]], window_size=WINDOW),
    ),
    _writer("gptj", "GPT-J", "GPTJForCausalLM", _GPT2 | dict(rotary_dim=4)),
    _writer(
        "granite",
        "Granite",
        "GraniteForCausalLM",
        GROUPED
        | dict(
            embedding_multiplier=3.0,
            residual_multiplier=0.5,
            attention_multiplier=0.25,
            logits_scaling=2.0,
        ),
    ),
    _writer("helium", "Helium", "HeliumForCausalLM", GROUPED | dict(head_dim=8)),
    _writer("hunyuan", "HunYuan (dense)", "HunYuanDenseV1ForCausalLM", GROUPED | dict(head_dim=8)),
    _writer(
        "minicpm3",
        "MiniCPM 3",
        "MiniCPM3ForCausalLM",
        SIZES
        | dict(
            q_lora_rank=16,
            kv_lora_rank=16,
            qk_nope_head_dim=4,
            qk_rope_head_dim=4,
            v_head_dim=8,
            num_key_value_heads=4,
        ),
    ),
    _writer(
        "ministral",
        "Ministral",
        "MinistralForCausalLM",
        GROUPED | _MIXED_WINDOWS | dict(head_dim=8),
    ),
    _writer(
        "modernbert-decoder",
        "ModernBERT decoder",
        "ModernBertDecoderForCausalLM",
        SIZES | dict(local_attention=WINDOW),
    ),
    _writer(
        "mpt",
        "MPT",
        "MptForCausalLM",
        SIZES | dict(d_model=HIDDEN, n_heads=4, n_layers=2, expansion_ratio=2, max_seq_len=64),
    ),
    _writer("nanochat", "NanoChat", "NanoChatForCausalLM", GROUPED | dict(head_dim=8)),
    _writer("nemotron", "Nemotron", "NemotronForCausalLM", GROUPED | dict(head_dim=8)),
    _writer("olmo", "OLMo", "OlmoForCausalLM", GROUPED),
    _writer("olmo-clipped", "OLMo", "OlmoForCausalLM", GROUPED | dict(clip_qkv=2.0)),
    _writer("olmo2", "OLMo 2", "Olmo2ForCausalLM", GROUPED),
    _writer("olmo3", "OLMo 3", "Olmo3ForCausalLM", GROUPED | _MIXED_WINDOWS),
    _writer("persimmon", "Persimmon", "PersimmonForCausalLM", SIZES),
    _writer("phi", "Phi", "PhiForCausalLM", SIZES),
    _writer("phi-normed", "Phi", "PhiForCausalLM", SIZES | dict(qk_layernorm=True)),
    _writer(
        "seed-oss",
        "Seed-OSS",
        "SeedOssForCausalLM",
        GROUPED | dict(head_dim=8, attention_bias=True),
    ),
    _writer(
        "smollm3",
        "SmolLM3",
        "SmolLM3ForCausalLM",
        GROUPED | dict(no_rope_layers=[1, 0]),
    ),
    _writer("stablelm", "StableLM", "StableLmForCausalLM", GROUPED | dict(use_qkv_bias=True)),
    _writer(
        "stablelm-parallel",
        "StableLM",
        "StableLmForCausalLM",
        GROUPED | dict(qk_layernorm=True, use_parallel_residual=True),
    ),
    _writer(
        "starcoder2", "StarCoder2", "Starcoder2ForCausalLM", GROUPED | dict(sliding_window=WINDOW)
    ),
    _writer("vaultgemma", "VaultGemma", "VaultGemmaForCausalLM", _GEMMA),
)

HEADS = index(
    TinyModel("llama-model", "Llama", "LlamaModel", GROUPED, texts, ("last_hidden_state",)),
    TinyModel(
        "llama-classification",
        "Llama",
        "LlamaForSequenceClassification",
        GROUPED | dict(num_labels=3),
        texts,
    ),
    TinyModel(
        "llama-questions",
        "Llama",
        "LlamaForQuestionAnswering",
        GROUPED,
        texts,
        ("start_logits", "end_logits"),
    ),
    TinyModel(
        "qwen2-tokens",
        "Qwen2",
        "Qwen2ForTokenClassification",
        GROUPED | dict(num_labels=3),
        texts,
    ),
    TinyModel(
        "gpt2-classification",
        "GPT-2",
        "GPT2ForSequenceClassification",
        _GPT2 | dict(num_labels=3),
        texts,
    ),
)

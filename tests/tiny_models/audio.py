"""Tiny models that hear."""

from __future__ import annotations

from typing import Any

import torch

from tests.tiny_models.batches import written
from tests.tiny_models.tiny_model import (
    END,
    HIDDEN,
    PAD,
    START,
    VOCABULARY,
    Batch,
    Sizes,
    TinyModel,
    index,
    massive_word,
)
from tests.tiny_models.vision import each, massive_gamma, massive_place

MELS, FRAMES = 8, 20
SAMPLES = 96

_WHISPER: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    num_mel_bins=MELS,
    d_model=HIDDEN,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=48,
    decoder_ffn_dim=48,
    max_source_positions=FRAMES // 2,
    max_target_positions=64,
    classifier_proj_size=16,
    pad_token_id=PAD,
    bos_token_id=START,
    eos_token_id=END,
    decoder_start_token_id=PAD,
    suppress_tokens=[],
    begin_suppress_tokens=[],
)
_WAVES: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    hidden_size=HIDDEN,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    conv_dim=[16, 16],
    conv_stride=[4, 2],
    conv_kernel=[8, 3],
    num_conv_pos_embeddings=4,
    num_conv_pos_embedding_groups=2,
    pad_token_id=PAD,
)
_ENCODER_POSITION = "encoder.embed_positions.weight"


def _features(generator: torch.Generator, sizes: Sizes) -> Batch:
    return {"input_features": torch.randn(sizes.rows, MELS, FRAMES, generator=generator)}


def _features_and_written(generator: torch.Generator, sizes: Sizes) -> Batch:
    return _features(generator, sizes) | written(generator, sizes)


def _waves(generator: torch.Generator, sizes: Sizes) -> Batch:
    return {"input_values": torch.randn(sizes.rows, SAMPLES, generator=generator)}


def _spectrograms(generator: torch.Generator, sizes: Sizes) -> Batch:
    return {"input_values": torch.randn(sizes.rows, FRAMES, MELS, generator=generator)}


MODELS = index(
    TinyModel(
        "whisper",
        "Whisper",
        "WhisperForConditionalGeneration",
        _WHISPER,
        _features_and_written,
        plant=each(massive_word, massive_place(f"model.{_ENCODER_POSITION}", 2)),
        generates=True,
    ),
    TinyModel(
        "whisper-classification",
        "Whisper",
        "WhisperForAudioClassification",
        _WHISPER | dict(num_labels=5),
        _features,
        plant=massive_place(_ENCODER_POSITION, 2),
    ),
    TinyModel(
        "ast-classification",
        "Audio Spectrogram Transformer",
        "ASTForAudioClassification",
        dict(
            hidden_size=HIDDEN,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            patch_size=4,
            frequency_stride=4,
            time_stride=4,
            max_length=FRAMES,
            num_mel_bins=MELS,
            num_labels=5,
        ),
        _spectrograms,
        plant=massive_place("audio_spectrogram_transformer.embeddings.position_embeddings", 0, 2),
    ),
    TinyModel(
        "wav2vec2",
        "Wav2Vec2",
        "Wav2Vec2ForCTC",
        _WAVES,
        _waves,
        plant=massive_gamma("wav2vec2.encoder.layer_norm.weight"),
    ),
    TinyModel(
        "hubert",
        "HuBERT",
        "HubertModel",
        _WAVES,
        _waves,
        ("last_hidden_state",),
        plant=massive_gamma("encoder.layer_norm.weight"),
    ),
)

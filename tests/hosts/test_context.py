from __future__ import annotations

import pytest
from transformers import (
    AutoConfig,
    BertConfig,
    CLIPConfig,
    GPT2Config,
    LEDConfig,
    MPNetConfig,
    MptConfig,
    Qwen2VLConfig,
    T5Config,
    ViTConfig,
    WhisperConfig,
    XLNetConfig,
)

from las.hosts.context import longest_context


@pytest.mark.parametrize(
    ("config", "longest"),
    [
        (BertConfig(max_position_embeddings=77), 77),
        (GPT2Config(n_positions=300), 300),
        (MptConfig(max_seq_len=501), 501),
        (WhisperConfig(max_source_positions=90, max_target_positions=40), 90),
        (LEDConfig(max_encoder_position_embeddings=640, max_decoder_position_embeddings=64), 640),
        (MPNetConfig(max_position_embeddings=88), 88),  # beside relative positions
    ],
)
def test_each_family_has_its_own_word_for_it(config: AutoConfig, longest: int) -> None:
    assert longest_context(config) == longest


@pytest.mark.parametrize("config", [T5Config(n_positions=512), ViTConfig(), XLNetConfig(), None])
def test_some_name_none(config: AutoConfig | None) -> None:
    assert longest_context(config) is None


def test_the_text_part_of_a_larger_model_says_it() -> None:
    assert longest_context(CLIPConfig(text_config=dict(max_position_embeddings=99))) == 99
    text = dict(max_position_embeddings=4321)
    assert longest_context(Qwen2VLConfig(text_config=text)) == 4321

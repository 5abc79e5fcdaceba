from __future__ import annotations

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

import las
from tests.tiny_models.plain import tiny_llama


@pytest.fixture(scope="session")
def tokenizer(byte_tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    return byte_tokenizer


def spiking_llama(
    tokenizer: PreTrainedTokenizerFast, time_steps: int, seed: int = 0
) -> LlamaForCausalLM:
    model = tiny_llama(tokenizer, seed)
    ids = torch.randint(len(tokenizer), (2, 64), generator=torch.Generator().manual_seed(seed))
    return las.convert(model, [{"input_ids": ids}], las.SpikeConfig(time_steps=time_steps))

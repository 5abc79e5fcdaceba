"""Cost as a function of model width: matrix products grow with its square, coding does not."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import LlamaConfig

import las
from benchmarks.models import random_model, random_tokens
from benchmarks.passes import compare_passes
from benchmarks.quiet import quiet
from benchmarks.records import COUNTING, SNN, Case
from benchmarks.settings import Settings
from las.hosts.twin import twin

_HEAD = 64
_VOCABULARY = 1024


def measure(
    settings: Settings, widths: Sequence[int] = (128, 256, 512, 1024, 2048), length: int = 512
) -> list[Case]:
    """Time two-layer Llama models with random weights, calibrated on random tokens."""
    return [_measure(settings, width, length) for width in widths]


def _measure(settings: Settings, width: int, length: int) -> Case:
    heads = max(width // _HEAD, 1)
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=width,
        intermediate_size=width * 8 // 3 // 16 * 16,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=heads,
    )
    ann = random_model(config)
    batches = [{"input_ids": random_tokens(ann, 1, length, seed)} for seed in (1, 2)]
    with quiet():
        snn = las.convert(twin(ann), batches)
    name = f"hidden {width}"
    inputs = {"input_ids": random_tokens(ann, 1, length), "use_cache": False}
    series = compare_passes(ann, snn, inputs, settings, name)
    return Case(name, series, (SNN, COUNTING), parameters={"width": width}, tokens=length)

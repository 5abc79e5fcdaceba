"""The forward pass of a 6.7B-shaped language model in bfloat16 on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import OPTConfig, PretrainedConfig

import las
from benchmarks.models import random_model, random_tokens
from benchmarks.passes import compare_passes
from benchmarks.quiet import quiet
from benchmarks.records import COUNTING, SNN, Case
from benchmarks.settings import Settings
from las.hosts.twin import twin

CONFIG = OPTConfig(
    hidden_size=4096,
    num_hidden_layers=32,
    num_attention_heads=32,
    ffn_dim=16384,
    word_embed_proj_dim=4096,
)
"""The dimensions of OPT-6.7B; the others are the defaults of the architecture."""

NAME = "OPT-6.7B-shaped"

_CALIBRATION_TOKENS = 64
_ROOM = 24 * 2**30
"""Bytes that weights, activations and the logits need."""


def measure(settings: Settings, length: int = 2048) -> list[Case]:
    """Time passes and take the peak of the memory, where there is a GPU."""
    if not torch.cuda.is_available():
        return [Case(NAME, unmeasured="unmeasured: no GPU in this run")]
    free, _ = torch.cuda.mem_get_info()
    if free < _ROOM:
        reason = f"unmeasured: {free / 2**30:.0f} GiB of GPU memory are free, it needs 24"
        return [Case(NAME, unmeasured=reason)]
    ann, snn = make_models(CONFIG, "cuda", torch.bfloat16)
    ids = random_tokens(ann, 1, length)
    name = f"{NAME}, bfloat16, 1 x {length}"
    inputs = {"input_ids": ids, "use_cache": False}
    series = compare_passes(ann, snn, inputs, settings, name, torch.cuda.synchronize)
    with torch.no_grad():
        peaks = {which: [_peak(model, inputs)] for which, model in (("ann", ann), ("snn", snn))}
    return [
        Case(name, series, (SNN, COUNTING), tokens=length),
        Case(f"{name}, peak memory", peaks, (SNN,), "MiB"),
    ]


def make_models(config: PretrainedConfig, device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """A model with random weights and its spiking one, on the same parameters."""
    ann = random_model(config, device, dtype)
    batch = {"input_ids": random_tokens(ann, 1, _CALIBRATION_TOKENS, seed=1)}
    with quiet():
        return ann, las.convert(twin(ann), [batch])


def _peak(model: Any, inputs: Mapping[str, Any]) -> float:
    """MiB allocated at most during a pass, the weights included."""
    torch.cuda.reset_peak_memory_stats()
    model(**inputs)
    return torch.cuda.max_memory_allocated() / 2**20

"""The models that are measured, and what they read."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor

import las
from benchmarks.settings import Settings
from las.hosts.loading import load_model

_SPECIAL = 5
"""Token ids below this one may be special; random texts do without them."""


def load_original(settings: Settings, name: str) -> Any:
    """The original model in float32."""
    return load_model(settings.model(name), local_only=True)


def load_spiking(settings: Settings, name: str) -> Any:
    """The spiking model of the stored adapter, with weights of its own."""
    return las.load(load_original(settings, name), settings.adapter(name))


def random_model(
    config: transformers.PretrainedConfig, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Any:
    """A causal language model of an architecture, with random weights."""
    torch.manual_seed(0)
    with torch.device(device):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def random_tokens(model: Any, batch: int, length: int, seed: int = 0) -> Tensor:
    """Token ids, (batch, length), the same at every call."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(_SPECIAL, model.config.vocab_size, (batch, length), generator=generator)
    return ids.to(model.device)

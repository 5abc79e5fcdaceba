"""Keys and values that spike once, when they enter the key-value cache of generation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from las.components.run_state import RunState
from las.neurons.encoding import SpikeEncoding


@dataclass(frozen=True)
class Operand:
    """Keys or values on the way into the products of attention.

    Attributes:
        value: what their spikes add up to, of old and new tokens, (B, H_kv, S, D).
        coded: the new tokens, which spike now, (B, H_kv, N, D).
        start: place of the first new token among the S.
        steps: the weighted spikes of the new tokens at t = 1 .. T, where they are simulated.
    """

    value: Tensor
    coded: SpikeEncoding
    start: int
    steps: tuple[Tensor, ...] = ()

    def arriving(self) -> Iterator[Tensor]:
        """The simulated increments of `value`: the charge of old tokens is there from t = 1 on."""
        new = slice(self.start, self.start + self.coded.value.shape[-2])
        for t, spikes in enumerate(self.steps):
            increment = torch.zeros_like(self.value) if t else self.value.clone()
            increment[..., new, :] = spikes
            yield increment


class Coder(Protocol):
    """What codes keys and values: spiking attention."""

    run: RunState
    caches: bool

    def code(self, key: Tensor, value: Tensor) -> tuple[Operand, Operand]:
        """Code new keys and values."""


class CodingCache:
    """Stands before a cache of transformers and codes what enters it, for one attention module."""

    def __init__(self, cache: Any, attention: Coder) -> None:
        self._cache = cache
        self._attention = attention

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    @torch.compiler.disable  # it hands over in this thread's memory
    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Code new keys and values, let the cache keep them, and return all that it holds."""
        past = int(self._cache.get_seq_length(layer_idx))  # a static cache counts on in place
        key, value = self._attention.code(key_states, value_states)
        keys, values = self._cache.update(key.value, value.value, layer_idx, *args, **kwargs)
        start = min(past, keys.shape[-2] - key_states.shape[-2])  # a sliding window drops the rest
        entered = (
            Operand(keys, key.coded, start, key.steps),
            Operand(values, value.coded, start, value.steps),
        )
        self._attention.run.hand_over(self._attention, entered)
        return keys, values


def code_on_entry(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """A forward pre-hook of attention modules that puts a `CodingCache` before their cache.

    It is known by its class: GPT-NeoX calls it otherwise than the others.
    """
    from transformers.cache_utils import Cache

    caches = {
        name: _coding(value, module) for name, value in kwargs.items() if isinstance(value, Cache)
    }
    return (args, {**kwargs, **caches}) if caches else None


def _coding(cache: Any, module: Any) -> Any:
    """A cache that codes what enters it; of an encoder and a decoder, one with two of them."""
    from transformers.cache_utils import EncoderDecoderCache

    attention = module.spiking_attention
    attention.caches = True
    if not isinstance(cache, EncoderDecoderCache):
        return CodingCache(cache, attention)
    coding: Any = copy.copy(cache)  # which layers have read the encoder is known to both
    coding.self_attention_cache = CodingCache(cache.self_attention_cache, attention)
    coding.cross_attention_cache = CodingCache(cache.cross_attention_cache, attention)
    if cache.is_updated.get(module.layer_idx):
        layer = cache.cross_attention_cache.layers[module.layer_idx]
        attention.run.hand_over(attention, _remembered(layer.keys, layer.values, attention))
    return coding


def _remembered(keys: Tensor, values: Tensor, attention: Coder) -> tuple[Operand, Operand]:
    """Keys and values of the encoder's tokens, all of which have spiked at an earlier step."""
    nothing = attention.code(keys[..., :0, :], values[..., :0, :])
    return (
        replace(nothing[0], value=keys, start=keys.shape[-2]),
        replace(nothing[1], value=values, start=values.shape[-2]),
    )

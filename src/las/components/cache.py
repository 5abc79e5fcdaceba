"""Keys and values that spike once, when they enter the key-value cache of generation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from las.components.one_operation import outside_graphs
from las.components.run_state import RunState
from las.components.saa import one_by_one
from las.errors import UnsupportedModelError
from las.neurons.encoding import SpikeEncoding


@dataclass(frozen=True)
class Operand:
    """Keys or values on the way into the products of attention.

    Attributes:
        value: what their spikes add up to, of old and new tokens, (B, H_kv, S, D).
        coded: the new tokens, which spike now, (B, H_kv, N, D).
        places: of the new tokens among the S, (N,); None where nobody counts or simulates.
        steps: the weighted spikes of the new tokens at t = 1 .. T, where they are simulated.
    """

    value: Tensor
    coded: SpikeEncoding
    places: Tensor | None
    steps: tuple[Tensor, ...] = ()

    @property
    def width(self) -> int:
        """D."""
        return self.value.shape[-1]

    def arriving(self) -> Iterator[Tensor]:
        """The simulated increments of `value`: the charge of old tokens is there from t = 1 on."""
        for t, spikes in enumerate(self.steps):
            increment = torch.zeros_like(self.value) if t else self.value.clone()
            increment[..., self.places, :] = spikes
            yield increment


@dataclass(frozen=True)
class StepwiseOperand(Operand):
    """Keys or values of which every time step is kept, for naive attention.

    Attributes:
        value: the spikes of all time steps side by side, (B, H_kv, S, T D).
        time_steps: T.
    """

    time_steps: int = 1

    @property
    def width(self) -> int:
        """D."""
        return self.value.shape[-1] // self.time_steps

    def arriving(self) -> Iterator[Tensor]:
        """The spikes of each time step, of old and new tokens."""
        return one_by_one(self.value, self.time_steps)


class Coder(Protocol):
    """What codes keys and values: spiking attention."""

    run: RunState

    def stays_outside_graphs(self) -> bool:
        """Whether compilers leave it out."""

    def code(self, key: Tensor, value: Tensor) -> tuple[Operand, Operand]:
        """Code new keys and values."""


class CodingCache:
    """Stands before a cache of transformers and codes what enters it, for one attention module."""

    def __init__(self, cache: Any, attention: Coder) -> None:
        self._cache = cache
        self._attention = attention

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def update(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Code new keys and values, let the cache keep them, and return all that it holds.

        Compilers leave it out where they leave spiking attention out.
        """
        if torch.compiler.is_compiling() and self._attention.stays_outside_graphs():
            both: tuple[Tensor, Tensor] = outside_graphs(self._update, *args, **kwargs)
            return both
        return self._update(*args, **kwargs)

    def _update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        key, value = self._attention.code(key_states, value_states)
        places = key.places
        if places is not None:
            places = places + self._cache.get_seq_length(layer_idx)  # before it counts on in place
        keys, values = self._cache.update(key.value, value.value, layer_idx, *args, **kwargs)
        if places is not None:  # a sliding window drops the first ones
            places = places - (places[-1:] - keys.shape[-2] + 1).clamp_min(0)
        entered = (
            replace(key, value=keys, places=places),
            replace(value, value=values, places=places),
        )
        self._attention.run.hand_in(entered)
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
    if not isinstance(cache, EncoderDecoderCache):
        return _of_numbers_kept(cache, attention)
    coding: Any = copy.copy(cache)  # which layers have read the encoder is known to both
    coding.self_attention_cache = _of_numbers_kept(cache.self_attention_cache, attention)
    coding.cross_attention_cache = _of_numbers_kept(cache.cross_attention_cache, attention)
    if cache.is_updated.get(module.layer_idx):
        layer = cache.cross_attention_cache.layers[module.layer_idx]
        attention.run.hand_in(_remembered(layer.keys, layer.values, attention))
    return coding


def _of_numbers_kept(cache: Any, attention: Coder) -> CodingCache:
    """A cache that codes what enters one that keeps it as it is.

    Raises:
        UnsupportedModelError: the cache quantises what it keeps.
    """
    from transformers.cache_utils import QuantizedCache

    if isinstance(cache, QuantizedCache):
        kind = type(cache.layers[0]).__name__
        raise UnsupportedModelError(
            f"a {type(cache).__name__} ({kind}) quantises the keys and values that spikes have "
            "coded, and what it gives back is no sum of spikes any more: generate with another "
            "cache_implementation, such as 'dynamic' or 'static'"
        )
    return CodingCache(cache, attention)


def _remembered(keys: Tensor, values: Tensor, attention: Coder) -> tuple[Operand, Operand]:
    """Keys and values of the encoder's tokens, all of which have spiked at an earlier step."""
    nothing = attention.code(keys[..., :0, :], values[..., :0, :])
    return replace(nothing[0], value=keys), replace(nothing[1], value=values)

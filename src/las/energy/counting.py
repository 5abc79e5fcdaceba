"""Counting the spikes of a model while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from las.errors import LasError
from las.hosts.stacks import stacks
from las.hosts.towers import image_tokens
from las.neurons.tally import SpikeTally, counting, current_tally


@contextmanager
def count_spikes(model: nn.Module) -> Iterator[SpikeTally]:
    """Count spikes and synaptic operations of every forward pass inside the block.

    Of blocks within each other, the innermost one counts.

    Arguments:
        model: a converted model.

    Yields:
        The tally, filled as the model runs: per site spikes, rates and out-of-range inputs, per
        component synaptic operations. Padding computes like any token, and counts like one; an
        encoder's tokens and its decoder's all count; of images without text, patches do.

    Raises:
        LasError: the model has no spiking neurons.
    """
    from las.conversion.prepare import is_spiking

    if not is_spiking(model):
        raise LasError(f"{type(model).__name__} has no spiking neurons: use las.convert first")
    tally = SpikeTally()

    def count_tokens(stack: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        named = {getattr(stack, "main_input_name", "input_ids"): arg for arg in args[:1]} | kwargs
        ids = named.get("input_ids", named.get("inputs_embeds"))
        pixels = named.get("pixel_values")
        if current_tally() is not tally:
            return
        if ids is not None:
            tally.tokens += ids.shape[0] * ids.shape[1]
        elif pixels is not None:
            tally.tokens += image_tokens(model, pixels)

    with ExitStack() as hooks:
        for stack in stacks(model).values():
            hook = stack.register_forward_pre_hook(count_tokens, with_kwargs=True)
            hooks.callback(hook.remove)
        with counting(tally):
            yield tally

"""Counting the spikes of a model while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from las.errors import LasError
from las.neurons.tally import SpikeTally, counting, current_tally


@contextmanager
def count_spikes(model: nn.Module) -> Iterator[SpikeTally]:
    """Count spikes and synaptic operations of every forward pass inside the block.

    Of blocks within each other, the innermost one counts.

    Arguments:
        model: a converted model.

    Yields:
        The tally, filled as the model runs: per site spikes, rates and out-of-range inputs, per
        component synaptic operations. Padding computes like any token, and counts like one.

    Raises:
        LasError: the model has no spiking neurons.
    """
    from las.conversion.prepare import is_spiking

    if not is_spiking(model):
        raise LasError(f"{type(model).__name__} has no spiking neurons: use las.convert first")
    tally = SpikeTally()

    def count_tokens(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs.get("input_ids", kwargs.get("inputs_embeds", args[0] if args else None))
        if ids is not None and current_tally() is tally:
            tally.tokens += ids.shape[0] * ids.shape[1]

    hook = model.register_forward_pre_hook(count_tokens, with_kwargs=True)
    try:
        with counting(tally):
            yield tally
    finally:
        hook.remove()

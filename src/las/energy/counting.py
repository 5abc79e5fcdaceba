"""Counting the spikes of a model while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from las.components.run_state import RunState
from las.components.running import running
from las.hosts.stacks import stacks
from las.hosts.towers import image_tokens
from las.neurons.tally import SpikeTally


@contextmanager
def count_spikes(model: nn.Module) -> Iterator[SpikeTally]:
    """Count spikes and synaptic operations of every forward pass of the model inside the block.

    Passes count in whichever thread they run, and in every block that is open. Other models do not
    count.

    Arguments:
        model: a converted model; a part of one stands for the whole of it. Of a module that holds
            several, all count: their paths in it then stand before the names of their sites.

    Yields:
        The tally, filled as the model runs: per site spikes, rates and out-of-range inputs, per
        component synaptic operations. Padding computes like any token, and counts like one; an
        encoder's tokens and its decoder's all count; of images without text, patches do.

    Raises:
        LasError: the model has no spiking neurons.
    """
    tally = SpikeTally()
    converted = running(model)
    with ExitStack() as blocks:
        for one in converted:
            for stack in stacks(one.model).values():
                counter = _TokenCounter(tally, one.model, one.run)
                hook = stack.register_forward_pre_hook(counter, with_kwargs=True)
                blocks.callback(hook.remove)
            prefix = f"{one.path}." if len(converted) > 1 and one.path else ""
            blocks.enter_context(one.run.counted(tally, prefix))
        yield tally


@dataclass(frozen=True, eq=False)
class _TokenCounter:
    """A forward pre-hook that counts the tokens which go into a stack of a model.

    A copy of the model that is made meanwhile takes a copy of it along, which counts nothing.
    """

    tally: SpikeTally
    model: nn.Module
    run: RunState

    def __call__(
        self, stack: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
    ) -> None:
        # PyTorch gives no kwargs to a hook that another thread is just adding or removing.
        named = {getattr(stack, "main_input_name", "input_ids"): arg for arg in args[:1]}
        named |= kwargs or {}
        ids = named.get("input_ids", named.get("inputs_embeds"))
        pixels = named.get("pixel_values")
        if not self.run.fills(self.tally):
            return
        if ids is not None:
            self.tally.add_tokens(ids.shape[:2].numel())
        elif pixels is not None:
            self.tally.add_tokens(image_tokens(self.model, pixels))

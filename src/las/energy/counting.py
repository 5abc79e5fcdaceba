"""Counting the spikes of a model while it runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from las.components.call import Call
from las.components.padding import token_masks
from las.components.run_state import RunState
from las.components.running import running
from las.hosts.stacks import stacks
from las.hosts.towers import image_tokens
from las.neurons.encoding import total
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
        component synaptic operations. Padding that a mask (B, L) tells does not count, though its
        outputs are computed; neither does a query that sees no key. An encoder's tokens and its
        decoder's all count; of images without text, patches do.

    Raises:
        LasError: the model has no spiking neurons.
    """
    tally = SpikeTally()
    converted = running(model)
    with ExitStack() as blocks:
        for one in converted:
            read = stacks(one.model)
            for module in dict.fromkeys((one.model, _base(one.model), *read.values())):
                masks = _Masks(one.run, one.model, one.inside)
                begin = module.register_forward_pre_hook(masks, with_kwargs=True)
                blocks.callback(begin.remove)
                end = module.register_forward_hook(masks.end, always_call=True)
                blocks.callback(end.remove)
            for path, stack in read.items():
                counter = _TokenCounter(tally, one.model, one.run, one.inside + path)
                hook = stack.register_forward_pre_hook(counter, with_kwargs=True)
                blocks.callback(hook.remove)
            prefix = f"{one.path}." if len(converted) > 1 and one.path else ""
            blocks.enter_context(one.run.counted(tally, prefix))
        yield tally


def _base(model: nn.Module) -> nn.Module:
    """A model without its head."""
    base = getattr(model, "base_model", model)
    return base if isinstance(base, nn.Module) else model


def _named(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The arguments of a call by name.

    PyTorch gives no kwargs to a hook that another thread is just adding or removing.
    """
    names = inspect.signature(module.forward).parameters
    return {**dict(zip(names, args, strict=False)), **(kwargs or {})}


@dataclass(frozen=True, eq=False)
class _Masks:
    """Forward hooks that say which tokens of a pass are padding.

    The outermost one says it; where that knows of none, the next one does.
    """

    run: RunState
    model: nn.Module
    inside: str

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
    ) -> None:
        call = Call()
        masks = self.run.masks
        if masks is None or not (masks.known or masks.encoder):
            masks = token_masks(self.model, _named(module, args, kwargs), self.inside)
        self.run.begin_pass(self, call, masks)

    def end(self, *_: Any) -> None:
        """The pass has ended."""
        self.run.end_pass(self)


@dataclass(frozen=True, eq=False)
class _TokenCounter:
    """A forward pre-hook that counts the tokens which go into a stack of a model.

    A copy of the model that is made meanwhile takes a copy of it along, which counts nothing.
    """

    tally: SpikeTally
    model: nn.Module
    run: RunState
    path: str

    def __call__(
        self, stack: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
    ) -> None:
        named = _named(stack, args, kwargs)
        ids, embedded = named.get("input_ids"), named.get("inputs_embeds")
        pixels = named.get("pixel_values")
        if not self.run.fills(self.tally):
            return
        read = ids if embedded is None else embedded[..., 0]
        if read is not None:
            self.tally.add_tokens(read.numel() - self._padding(read.numel()))
        elif pixels is not None:
            self.tally.add_tokens(image_tokens(self.model, pixels))

    def _padding(self, tokens: int) -> int:
        """How many of the tokens that a stack reads are padding."""
        masks = self.run.masks
        if masks is None:
            return 0
        of_encoder = masks.encoder is None or masks.encoder == f"{self.path}."
        keep = masks.keep if of_encoder else masks.decoded
        return 0 if keep is None or keep.numel() != tokens else total(~keep)

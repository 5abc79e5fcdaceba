"""Layers whose output goes straight into a norm, as in models that normalise after a layer.

What such a layer is wrong by counts relative to the size of each token: the norm makes small
tokens as large as the others. So its neurons are to code small tokens as finely as large ones.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from las.components.linear import SpikingLinear
from las.components.norm import SpikingNorm


@contextmanager
def marking_normalised(model: nn.Module) -> Iterator[None]:
    """Let sites become `scale_free` whose layer's very output a norm reads inside the block.

    Arguments:
        model: a prepared model, which runs inside the block.
    """
    made: dict[int, tuple[weakref.ref[Tensor], SpikingLinear]] = {}

    def after_layer(layer: Any, args: Any, output: Tensor) -> None:
        made[id(output)] = weakref.ref(output), layer

    def before_norm(norm: Any, args: Any) -> None:
        found = made.get(id(args[0])) if args else None
        if found is not None and found[0]() is args[0]:
            found[1].site.scale_free = True

    with ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, SpikingLinear):
                hooks.callback(module.register_forward_hook(after_layer).remove)
            elif isinstance(module, SpikingNorm):
                hooks.callback(module.register_forward_pre_hook(before_norm).remove)
        yield

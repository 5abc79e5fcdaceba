"""What a model makes of some batches without errors, to measure against."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from las.calibration.batches import Batch, numbered, running_on
from las.calibration.loss import Loss, only_scored, scored
from las.components.exact import Exact
from las.components.running import observing


class Expected:
    """What a model makes of some batches with exact neurons.

    Arguments:
        model: a prepared model.
        batches: forward keyword arguments.

    Attributes:
        vectors: how many vectors of its output a loss looks at: tokens, or labels.
    """

    def __init__(self, model: nn.Module, batches: Iterable[Batch]) -> None:
        self.vectors = 0
        self._outputs = []
        with observing(model, Exact()), torch.no_grad():
            for name, batch, tokens in numbered(model, batches):
                with running_on(model, name):
                    output = only_scored(model(**batch), tokens)
                self.vectors += len(scored(output, tokens))
                self._outputs.append((name, batch, tokens, output))

    def loss(self, model: nn.Module) -> float:
        """The loss of the same model with spikes (see `Loss`)."""
        loss = Loss()
        for name, batch, tokens, expected in self._outputs:
            with running_on(model, name), torch.no_grad():
                loss.add(model(**batch), expected, tokens)
        return loss.mean

"""Fewest spikes within a loss that is allowed: thresholds of a whole model from one budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from las.calibration.batches import Batch, numbered, running_on
from las.calibration.budget import allot, choices
from las.calibration.loss import Loss
from las.calibration.sensitivity import collect_sensitivity
from las.calibration.statistics import Statistics
from las.components.running import observing
from las.config import SpikeConfig
from las.conversion.proof import Exact
from las.conversion.report import Spent
from las.conversion.state import SpikingState, apply, assemble
from las.errors import CalibrationError
from las.fitting.model_functions import FittedFunctions

SENSED = 1024
"""Tokens of which the gradients are taken."""

MEASURED = 2048
"""Other tokens, on which the loss is measured."""

_ATTEMPTS = 4
_CLOSE = 0.85
"""A loss that is at least this share of the budget will do."""

_AIM = 0.95
"""The share of the budget that a further attempt aims at."""


class Kept(Iterator[Batch]):
    """Batches that go by, and the first of them again: some are given only once."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)
        self._rows: list[Batch] = []
        self._tokens = 0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._batches)
        for row in rows_of(batch) if isinstance(batch, Mapping) else ():
            if self._tokens < SENSED + MEASURED:
                self._rows.append(row)
                self._tokens += _length(row)
        return batch

    def halves(self) -> tuple[list[Batch], list[Batch]]:
        """Rows to take gradients of, and other ones to measure on.

        Raises:
            CalibrationError: there is only one row.
        """
        sensed: list[Batch] = []
        rest = list(self._rows)
        tokens = 0
        share = SENSED / (SENSED + MEASURED)
        while len(rest) > 1 and tokens < max(1, share * self._tokens):
            row = rest.pop(0)
            sensed.append(row)
            tokens += _length(row)
        if not sensed:
            raise CalibrationError(
                "a budget needs two sequences of calibration data at least: one tells what errors "
                "cost, the other what the thresholds that were chosen do"
            )
        return sensed, rest


def rows_of(batch: Batch) -> list[Batch]:
    """The sequences of a batch, one by one; all of it where its tensors count other things."""
    tensors = [value for value in batch.values() if isinstance(value, Tensor) and value.dim()]
    rows = {len(value) for value in tensors}
    if len(rows) != 1 or rows == {1}:
        return [batch]
    return [
        {
            name: value[row : row + 1] if isinstance(value, Tensor) and value.dim() else value
            for name, value in batch.items()
        }
        for row in range(rows.pop())
    ]


def _length(row: Batch) -> int:
    """About how many tokens a batch of one row holds."""
    mask = row.get("attention_mask")
    if isinstance(mask, Tensor) and mask.dim() == 2:
        return int(mask.sum())
    ids: Any = next((row[name] for name in ("input_ids", "inputs_embeds") if name in row), None)
    return int(ids.shape[:2].numel()) if isinstance(ids, Tensor) else 1


def spike_within_budget(
    model: nn.Module,
    statistics: Statistics,
    functions: FittedFunctions,
    kept: Kept,
    config: SpikeConfig,
) -> SpikingState:
    """Choose the thresholds of a prepared model so that it spikes least within its budget.

    What errors cost is taken from gradients. As errors are not quite independent, the loss is then
    measured, on other data, and the choice made again with a budget that makes up for it.

    Arguments:
        model: a prepared model; it has its neurons afterwards.
        statistics: what calibration saw.
        functions: its HG neurons.
        kept: calibration data.
        config: with a budget.

    Returns:
        The state that the model is in.

    Raises:
        CalibrationError: too little data, or a model without gradients.
    """
    assert config.budget is not None
    sensed, rest = kept.halves()
    options = choices(statistics, collect_sensitivity(model, sensed, statistics.shared), config)
    found: list[SpikingState] = []
    allowed = config.budget
    while len(found) < _ATTEMPTS:
        thresholds = allot(statistics, options, config, allowed)
        state = assemble(statistics, thresholds, functions, config)
        apply(model, state)
        loss = measured_loss(model, rest)
        found.append(replace(state, spent=Spent(config.budget, allowed, loss)))
        if _CLOSE * config.budget <= loss <= config.budget:
            break
        allowed *= _AIM * config.budget / loss
    best = min(found, key=_distance)
    apply(model, best)
    return best


def _distance(state: SpikingState) -> float:
    """How far the loss is from the budget; above it counts for more than any loss within it."""
    spent = state.spent
    assert spent is not None
    share = spent.measured / spent.budget
    return 1 - share if share <= 1 else share


def measured_loss(model: nn.Module, batches: Iterable[Batch]) -> float:
    """The loss of a spiking model beside the same model with exact neurons (see `Loss`)."""
    loss = Loss()
    for name, batch, tokens in numbered(model, batches):
        with running_on(model, name), torch.no_grad():
            with observing(model, Exact()):
                expected = model(**batch)
            loss.add(model(**batch), expected, tokens)
    return loss.mean

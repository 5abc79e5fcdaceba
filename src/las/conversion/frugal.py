"""Fewest spikes within a loss that is allowed: thresholds of a whole model from one budget."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import Tensor, nn

from las.calibration.batches import Batch
from las.calibration.budget import Allotted, allot, choices
from las.calibration.expected import Expected
from las.calibration.importance import collect_sensitivity
from las.calibration.mean_errors import MeanErrors
from las.calibration.sensitivity import Sensitivity
from las.calibration.statistics import Statistics
from las.components.running import observing
from las.config import SpikeConfig
from las.conversion.report import Spent
from las.conversion.state import SpikingState, apply, assemble
from las.errors import CalibrationError
from las.fitting.model_functions import FittedFunctions

TOKENS = 1024
"""Tokens of which the gradients are taken, and other tokens, on which the loss is measured."""

LABELS = 128
"""The same of sequences of which a model says one thing each, such as a label ..."""

MOST_TOKENS = 8 * TOKENS
"""... but no more of them than hold as many tokens."""

_ATTEMPTS = 4
"""Choices that are measured, if one of them is within the budget."""

_MOST_ATTEMPTS = 8
"""Choices that are measured, if none is."""

_CLOSE = 0.85
"""A loss that is at least this share of the budget will do."""

_AIM = 0.95
"""The share of the budget that a further attempt aims at."""

_MOST = 4.0
"""How many times the budget the prediction may come to."""

_APART = 2.0
"""How many times the budget may be lost on the tokens of which the gradients were taken."""


class Kept(Iterator[Batch]):
    """Batches that go by, the first of which are kept: some are given only once.

    Attributes:
        batches: those that were kept.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._passing = iter(batches)
        self.batches: list[Batch] = []
        self._lengths: list[int] = []

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._passing)
        if isinstance(batch, Mapping) and not _suffice(self._lengths, labels=True):
            self.batches.append(batch)
            self._lengths += map(_length, rows_of(batch))
        return batch


def halves(batches: Iterable[Batch], labels: bool = False) -> tuple[list[Batch], list[Batch]]:
    """Rows to take gradients of, and other ones to measure on: as many tokens, or labels.

    Arguments:
        batches: calibration data.
        labels: whether a model says one thing of each row (see `says_one_thing`).

    Raises:
        CalibrationError: there is only one row.
    """
    rows: list[Batch] = []
    lengths: list[int] = []
    for row in itertools.chain.from_iterable(map(rows_of, batches)):
        if _suffice(lengths, labels):
            break
        rows.append(row)
        lengths.append(_length(row))
    sizes = [1] * len(rows) if labels else lengths
    of_half = itertools.accumulate(sizes, initial=0)
    sensed = sum(before < max(1, sum(sizes) / 2) for before in itertools.islice(of_half, len(rows)))
    sensed = min(sensed, len(rows) - 1)
    if sensed < 1:
        raise CalibrationError(
            "a budget needs two sequences of calibration data at least: one tells what errors "
            "cost, the other what the thresholds that were chosen do"
        )
    return rows[:sensed], rows[sensed:]


def _suffice(lengths: Sequence[int], labels: bool) -> bool:
    """Whether rows of as many tokens are enough for both halves."""
    tokens = sum(lengths)
    enough = not labels or len(lengths) >= 2 * LABELS or tokens >= 2 * MOST_TOKENS
    return enough and tokens >= 2 * TOKENS


def says_one_thing(model: nn.Module, row: Batch) -> bool:
    """Whether a prepared model says one thing of a row, such as a label, and not one of each token.

    Raises:
        CalibrationError: an output that no loss is known of.
    """
    return Expected(model, [row]).vectors == 1


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


@dataclass(frozen=True)
class Weighed:
    """What a model's errors cost: by it, budgets are spent, as many as one likes.

    Attributes:
        sensitivity: by site, on some rows of the calibration data.
        sensed: what the model makes of those rows without errors.
        expected: what it makes of others.
    """

    sensitivity: Sensitivity
    sensed: Expected
    expected: Expected

    def loss(self, model: nn.Module) -> float:
        """The loss of spikes on other rows than told what errors cost.

        Where it is more, it is half of what those rows themselves lose: single tokens may magnify
        errors so much that others do not tell.
        """
        return max(self.expected.loss(model), self.sensed.loss(model) / _APART)

    def predicted(self, model: nn.Module, allotted: Allotted, shared: Mapping[str, str]) -> float:
        """What `loss` will be with some thresholds, before any neuron has fired.

        Arguments:
            model: a prepared model.
            allotted: what was chosen for it.
            shared: sites that are served by another one.
        """
        with observing(model, MeanErrors(allotted.relative, shared, allotted.shifts)):
            return allotted.scattered + self.loss(model)


def weigh(model: nn.Module, statistics: Statistics, batches: Iterable[Batch]) -> Weighed:
    """Tell what errors cost a prepared model, from gradients where there are any.

    Arguments:
        model: a prepared model, in evaluation mode.
        statistics: what calibration saw.
        batches: calibration data.

    Raises:
        CalibrationError: too little data, or an output that no loss is known of.
    """
    rows = list(itertools.chain.from_iterable(map(rows_of, batches)))
    sensed, rest = halves(rows, bool(rows) and says_one_thing(model, rows[0]))
    sensitivity = collect_sensitivity(model, sensed, statistics.shared)
    return Weighed(sensitivity, Expected(model, sensed), Expected(model, rest))


class _Attempt(NamedTuple):
    """Thresholds, and what they were measured to lose."""

    allotted: Allotted
    loss: float

    def distance(self, budget: float) -> float:
        """How far the loss is from a budget; above it counts for more than any loss within it."""
        share = self.loss / budget
        return 1 - share if share <= 1 else share


def spike_within_budget(
    model: nn.Module,
    statistics: Statistics,
    functions: FittedFunctions,
    weighed: Weighed,
    config: SpikeConfig,
) -> SpikingState:
    """Choose the thresholds of a prepared model so that it spikes least within its budget.

    As errors are not quite independent, the loss is then measured, on other data than told what
    they cost, and the choice made again with a budget that makes up for it.

    Arguments:
        model: a prepared model; it has its neurons afterwards.
        statistics: what calibration saw.
        functions: its HG neurons.
        weighed: what errors cost it.
        config: with a budget.

    Returns:
        The state that the model is in.

    Raises:
        CalibrationError: an output that no loss is known of.
    """
    budget = config.budget
    assert budget is not None
    options = choices(statistics, weighed.sensitivity, config)
    least = sum(one.least_loss for one in options.values())
    found: list[_Attempt] = []
    within, allowed = False, budget
    while len(found) < (_ATTEMPTS if within else _MOST_ATTEMPTS):
        allotted = allot(statistics, options, config, allowed)
        apply(model, assemble(statistics, allotted.thresholds, functions, config))
        loss = weighed.loss(model)
        found.append(_Attempt(allotted, loss))
        within = within or loss <= budget
        close = _CLOSE * budget <= loss <= budget
        lowest = loss > budget and allowed <= least  # no thresholds lose less
        highest = loss < budget and allowed == _MOST * budget
        if close or lowest or highest or not math.isfinite(loss):
            break
        wanted = _AIM * budget / loss if loss > 0 else math.inf
        allowed = min(wanted * allowed, _MOST * budget)
    # Of two that are as near, the more frugal one.
    best = min(reversed(found), key=lambda one: one.distance(budget))
    predicted = weighed.predicted(model, best.allotted, statistics.shared)
    state = assemble(statistics, best.allotted.thresholds, functions, config)
    apply(model, state)
    if not best.loss <= budget:
        warnings.warn(
            f"the spiking model loses {best.loss:.3g}, where the budget is "
            f"{budget:.3g}: allow more time_steps than {config.time_steps}, more bands than "
            f"{config.bands}, or a larger budget",
            stacklevel=3,
        )
    return replace(state, spent=Spent(budget, predicted, best.loss))

"""One result: a metric of the original model (ANN) beside that of its spike-equivalent (SNN)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from las.neurons.tally import SpikeTally


@dataclass(frozen=True)
class Score:
    """A metric of both models on the same items of a task.

    Attributes:
        task: name of the task or data set.
        metric: "acc", "f1", "perplexity", "bits_per_byte", "spearman", "pearson", ...; accuracies
            and F1 are shares from 0 to 1, correlations are x100.
        higher_is_better: which way the metric points.
        ann, snn: the two values; snn is None where the original was scored alone.
        ann_stderr, snn_stderr: their standard errors, None where there are too few items.
        items: how many items (questions, tokens, pairs) were scored.
        items_available: how many the data set holds.
        agreement: share of items on which both answer alike (text: same most likely token).
        kl: mean KL(ANN || SNN) per item, in nats.
        extra: further figures; `seconds_ann` and `seconds_snn` are the models' computing times.
        spikes: what was counted for this score, where it is not what its suite counts in all.
    """

    task: str
    metric: str
    higher_is_better: bool
    ann: float
    snn: float | None
    ann_stderr: float | None
    snn_stderr: float | None
    items: int
    items_available: int
    agreement: float | None = None
    kl: float | None = None
    extra: dict[str, float] = field(default_factory=dict)
    spikes: SpikeTally | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.ann, self.snn) if value is not None):
            raise ValueError(
                f"{self.metric} on {self.task} is not finite: ANN {self.ann}, SNN {self.snn}"
            )
        if not 0 < self.items <= self.items_available:
            raise ValueError(
                f"{self.task}: {self.items} items scored of {self.items_available} available"
            )

    @property
    def spiking(self) -> float:
        """The spiking model's value. Raises a ValueError where the original was scored alone."""
        if self.snn is None:
            raise ValueError(f"{self.task}: the original was scored alone")
        return self.snn

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, ready for JSON; spikes are left out."""
        values = dataclasses.asdict(dataclasses.replace(self, spikes=None))
        del values["spikes"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Score:
        """Inverse of `to_dict`, without spikes."""
        return cls(**values)

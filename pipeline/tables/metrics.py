"""The figures in metrics/: what a model reached with which neurons, by which measure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

WHOLE = "t16h5"
"""The neuron that every suite of every model has; beside it the original's scores are read."""


class MissingFigureError(LookupError):
    """The figures of the grid lack what a table shows."""


class Measure(NamedTuple):
    """What is measured of a model.

    Attributes:
        model: the model's name, metrics/<model>.json.
        suite: name of the evaluation.
        task, metric: a score of that evaluation.
    """

    model: str
    suite: str
    task: str
    metric: str


@dataclass(frozen=True)
class Figure:
    """What a model reached by one measure.

    Of an original nothing but the score and its standard error is known; the rest is None.

    Attributes:
        score: the score; accuracies in per cent.
        stderr: its standard error.
        change: from the original's score to this one, in per cent of the original's.
        agreement: how many answers (of texts: most likely tokens) are the original's, in per cent.
        loss: mean KL(ANN || SNN) in nats; of encoders the relative error of the last hidden state.
        energy: E_snn / E_ann (Eq. 25) over all of the suite.
    """

    score: float
    stderr: float
    change: float | None = None
    agreement: float | None = None
    loss: float | None = None
    energy: float | None = None


class Metrics:
    """The figures of the published grid.

    Arguments:
        root: where metrics/ lies.
    """

    def __init__(self, root: Path) -> None:
        files = (root / "metrics").glob("*.json")
        self._models = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    def of(self, measure: Measure, neuron: str | None) -> Figure:
        """What a model reached with a neuron; None is the original.

        Raises:
            MissingFigureError: it is not among the figures.
        """
        model, suite, task, metric = measure
        cell = (model, neuron or WHOLE, suite)
        scale = 100 if metric == "acc" else 1
        ann = self._found(*cell, task, metric, "ann")
        if neuron is None:
            return Figure(scale * ann, scale * self._found(*cell, task, metric, "ann_stderr"))
        snn = self._found(*cell, task, metric, "snn")
        loss = "hidden_relative_error" if suite == "similarity" else "kl"
        return Figure(
            score=scale * snn,
            stderr=scale * self._found(*cell, task, metric, "snn_stderr"),
            change=100 * (snn / ann - 1),
            agreement=100 * self._found(*cell, task, metric, "agreement"),
            loss=self._found(*cell, task, metric, loss),
            energy=self._found(*cell, "energy", "ratio"),
        )

    def _found(self, model: str, *names: str) -> Any:
        found: Any = self._models
        for name in (model, *names):
            if name not in found:
                lack = "there is no such file" if found is self._models else f"it has no {name}"
                raise MissingFigureError(
                    f"a table of the documentation shows {' / '.join(names)} of "
                    f"metrics/{model}.json, but {lack}. If params.yaml has the cell, make it with "
                    "`make repro`; if the grid is to have it no more, take it out of "
                    "pipeline/tables/"
                )
            found = found[name]
        return found

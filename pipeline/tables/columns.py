"""The rows and columns that the tables have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from las.reporting.column import Column
from las.reporting.table import Number
from pipeline.tables.measures import PAIRS, SIMILARITY
from pipeline.tables.metrics import Figure, Measure, Metrics


class System(NamedTuple):
    """A row: a model with one kind of neurons.

    Attributes:
        title: its first cell.
        neuron: the neuron's name; None for the original.
        energy: format of the ratio of energies.
    """

    title: str
    neuron: str | None
    energy: str = ".2f"


ORIGINAL = System("original", None)


def by(metrics: Metrics, measure: Measure) -> Callable[[System], Figure]:
    """What the system of a row reached by a measure."""
    return lambda system: metrics.of(measure, system.neuron)


def name(title: str) -> Column[System]:
    """What the rows are called."""
    return Column(title, lambda system: system.title)


def score(title: str, spec: str) -> Column[Figure]:
    """The score."""
    return Column(title, lambda figure: figure.score, spec)


def loss(title: str) -> Column[Figure]:
    """The divergence or error."""
    return Column(title, lambda figure: figure.loss, ".1e")


def change(title: str) -> Column[Figure]:
    """By how much the score changes."""
    return Column(title, lambda f: None if f.change is None else f"{f.change:+.3f} %")


def agreement(title: str) -> Column[Figure]:
    """How many answers are the original's: without decimals if it is all of them, rounded."""
    return Column(title, lambda f: None if f.agreement is None else _share(f.agreement))


def _share(percent: float) -> str:
    return "100 %" if percent >= 99.995 else f"{percent:.2f} %"


def energy(title: str, spec: str = ".2f") -> Column[Figure]:
    """The ratio of energies, 1 of the original."""
    return Column(title, lambda f: 1 if f.energy is None else Number(f.energy, spec=spec))


def energy_of(title: str, figure: Callable[[System], Figure]) -> Column[System]:
    """The same in the format that each row has."""
    return Column(title, lambda system: energy(title, system.energy).cell(figure(system)))


def similarity_columns(metrics: Metrics, title: str, ratio: str) -> list[Column[System]]:
    """The columns of tables about MiniLM, headed by a title; `ratio` heads the energies."""
    pairs = by(metrics, PAIRS)
    return [
        name(title),
        *(score(task, ".2f").of(by(metrics, measure)) for task, measure in SIMILARITY.items()),
        loss("error of the last hidden state").of(pairs),
        energy_of(ratio, pairs),
    ]

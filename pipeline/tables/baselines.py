"""The tables of docs/baselines.md that show the grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from las.reporting.column import Column, tabulate
from las.reporting.table import Table, text
from pipeline.tables.columns import (
    ORIGINAL,
    System,
    by,
    energy,
    loss,
    name,
    score,
    similarity_columns,
)
from pipeline.tables.measures import GPT2, QWEN2_VL, SST2
from pipeline.tables.metrics import Figure, Measure, Metrics


class Several(NamedTuple):
    """A row: a system with several neurons.

    Attributes:
        title: its first cell.
        neurons: the neurons' names; None where the grid has none.
    """

    title: str
    neurons: tuple[str | None, ...]


LAS = System("LAS, T = 16, H = 5", "t16h5")
FRUGAL = System("LAS, `frugal` (3.5e-4 asked for)", "frugal")


def tables(metrics: Metrics) -> Iterator[Table]:
    """All of them, in the order of the page."""
    yield fine_tuned(metrics)
    yield language_model(metrics)
    yield classifier(metrics)
    yield visual_questions(metrics)
    yield similarity(metrics)


FINE_TUNED = (
    Several("`qcfs`", ("qcfs-t16", "qcfs-tuned-t16")),
    Several("`fas`", ("fas-t16", "fas-tuned-t16")),
    Several("`spikezip-tf`", (None, "spikezip-tf-tuned-t16")),
)


def fine_tuned(metrics: Metrics) -> Table:
    """The classifier with systems as they are, and fine-tuned."""

    def columns(column: Column[Figure]) -> Iterator[Column[Several]]:
        yield Column(column.title, lambda row: _shown(metrics, SST2, row.neurons[0], column))
        yield Column("fine-tuned", lambda row: _shown(metrics, SST2, row.neurons[1], column))

    divergence = Column[Figure]("KL", lambda figure: figure.loss, ".3f")
    shown = (_title(""), *columns(score("accuracy", ".1f")), *columns(divergence))
    return tabulate("fine-tuned", "", shown, FINE_TUNED)


GPT2_SYSTEMS = (
    *(
        Several(f"`{method}`", (f"{method}-t8", f"{method}-t16"))
        for method in (
            *("sta", "qcfs", "spikezip-tf", "cos"),
            *("spikedattention", "srp", "ecmt", "fas"),
        )
    ),
    Several("LAS, H = 5", ("t8h5", "t16h5")),
)


def language_model(metrics: Metrics) -> Table:
    """GPT-2's architecture at T = 8 and 16."""
    original = metrics.of(GPT2, None)
    head = _title(f"GPT-2 architecture, 8 x 511 held-out tokens, original {original.score:.2f}")
    scored = score("perplexity, T = 8 / 16", ".2f")
    return tabulate("gpt2", "", (head, *_of_all_t(metrics, GPT2, scored)), GPT2_SYSTEMS)


SST2_STEPS: Mapping[str, Sequence[int]] = {
    "sta": (4, 8),
    "spikedattention": (8, 16),
    "cos": (8,),
    "qcfs": (8, 16),
    "ecmt": (4, 8),
    "spikezip-tf": (4, 8),
    "srp": (8,),
    "fas": (8, 16),
}
"""At which T the grid has the systems."""
SST2_SYSTEMS = (
    *(
        Several(f"`{method}`", tuple(f"{method}-t{t}" if t in steps else None for t in (4, 8, 16)))
        for method, steps in SST2_STEPS.items()
    ),
    Several("LAS, T = 10 / 16, H = 5", ("t10h5", "t16h5")),
)


def classifier(metrics: Metrics) -> Table:
    """MiniLM with a head at T = 4, 8 and 16."""
    title = f"MiniLM on SST-2, the same 319 sentences, original {_accuracy(metrics, SST2)}:"
    scored = score("accuracy, T = 4 / 8 / 16", ".1f")
    return tabulate("sst2", title, (_title(""), *_of_all_t(metrics, SST2, scored)), SST2_SYSTEMS)


QWEN2_VL_SYSTEMS = (
    *(
        System(f"`{method}`", f"{method}-t8")
        for method in ("sta", "fas", "cos", "ecmt", "qcfs", "srp", "spikezip-tf")
    ),
    System("`spikedattention`, T = 16", "spikedattention-t16"),
    LAS,
    FRUGAL,
)


def visual_questions(metrics: Metrics) -> Table:
    """Qwen2-VL's architecture."""
    asked = by(metrics, QWEN2_VL)
    columns = (
        name("T = 8, but for the last three"),
        score("accuracy", ".1f").of(asked),
        loss("mean KL").of(asked),
        energy("Eq. 25").of(asked),
    )
    original = _accuracy(metrics, QWEN2_VL)
    title = f"The Qwen2-VL architecture on easy-VQA, 1,000 questions, original {original}:"
    return tabulate("easy-vqa", title, columns, QWEN2_VL_SYSTEMS)


MINILM_SYSTEMS = (
    ORIGINAL,
    *(
        System(f"`{method}`", f"{method}-t8")
        for method in ("sta", "spikezip-tf", "qcfs", "cos", "srp", "ecmt", "fas")
    ),
    System("`spikedattention`, T = 16", "spikedattention-t16"),
    LAS,
    FRUGAL,
)


def similarity(metrics: Metrics) -> Table:
    """MiniLM on rated pairs."""
    columns = similarity_columns(metrics, "T = 8, but for the last three", "Eq. 25")
    return tabulate("similarity", "", columns, MINILM_SYSTEMS)


def _title(title: str) -> Column[Several]:
    return Column(title, lambda row: row.title)


def _of_all_t(
    metrics: Metrics, measure: Measure, scored: Column[Figure]
) -> Iterator[Column[Several]]:
    """What systems reach, lose and take at each T."""
    for column in (scored, loss("mean KL"), energy("Eq. 25")):
        yield _beside(metrics, measure, column)


def _beside(metrics: Metrics, measure: Measure, column: Column[Figure]) -> Column[Several]:
    """The figures of all neurons of a row in one cell."""

    def value(row: Several) -> str:
        return " / ".join(_shown(metrics, measure, one, column) for one in row.neurons).strip()

    return Column(column.title, value)


def _shown(metrics: Metrics, measure: Measure, neuron: str | None, column: Column[Figure]) -> str:
    """A neuron's figure; nothing where there is no neuron."""
    return "" if neuron is None else text(column.cell(metrics.of(measure, neuron)))


def _accuracy(metrics: Metrics, measure: Measure) -> str:
    """The original's, with its standard error."""
    original = metrics.of(measure, None)
    return f"{original.score:.1f} % (± {original.stderr:.1f})"

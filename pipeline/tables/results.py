"""The tables of docs/results.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from las.reporting.column import Column, tabulate
from las.reporting.paper.cited_rows import cited_levels, cited_table
from las.reporting.table import Cell, Number, Row, Table
from pipeline.tables import measures
from pipeline.tables.columns import (
    ORIGINAL,
    System,
    agreement,
    by,
    change,
    energy,
    energy_of,
    loss,
    name,
    score,
    similarity_columns,
)
from pipeline.tables.metrics import Figure, Measure, Metrics

FRUGAL = (
    System("frugal-fine, loss of 1e-4 asked for, H = 16", "frugal-fine", ".3f"),
    System("frugal, 3.5e-4, H = 16", "frugal", ".3f"),
    System("frugal-1pc, 3e-3, H = 16", "frugal-1pc", ".3f"),
    System("frugal-h5, 3.3e-4", "frugal-h5", ".3f"),
    System("frugal-h1, 3.5e-4, plain signed spikes", "frugal-h1", ".3f"),
)


def tables(metrics: Metrics) -> Iterator[Table]:
    """All of them, in the order of the page."""
    yield smollm2(metrics)
    yield zero_shot(metrics)
    yield minilm(metrics)
    yield levels(metrics)
    yield trained_here(metrics)
    yield trained_here_frugal(metrics)
    yield stopping_early(metrics)


SMOLLM2 = (
    ORIGINAL,
    System("**T = 16, H = 5**", "t16h5"),
    System("T = 16, H = 1", "t16h1"),
    System("T = 12, H = 5", "t12h5"),
    System("T = 10, H = 5", "t10h5"),
    System("T = 8, H = 5", "t8h5"),
    *FRUGAL,
    System("frugal-t10h5, 8e-5, no site with more than T = 10", "frugal-t10h5", ".3f"),
    System("frugal-t8h5, 8e-4, no site with more than T = 8", "frugal-t8h5", ".3f"),
)
INT8 = Row(
    (
        "original with linear layers in INT8 (`examples/original_in_int8.py`)",
        *("20.051", "+3.0 %", "3.9e-02", "88.11 %", None),
    )
)
"""What that script printed. It is no cell of the grid."""


def smollm2(metrics: Metrics) -> Table:
    """SmolLM2 on held-out text."""
    text = by(metrics, measures.SMOLLM2)
    columns = (
        name("SmolLM2-135M, 8 x 512 held-out tokens"),
        score("perplexity", ".3f").of(text),
        change("change").of(text),
        loss("mean KL to the original").of(text),
        agreement("same top-1 token").of(text),
        energy_of("energy, Eq. 25", text),
    )
    table = tabulate("smollm2", "", columns, SMOLLM2)
    return replace(table, rows=(*table.rows, INT8))


TASKS = {
    "piqa": "PIQA",
    "arc_easy": "ARC-Easy",
    "openbookqa": "OpenBookQA",
    "winogrande": "Winogrande",
    "copa": "COPA",
    "rte": "RTE",
}


def zero_shot(metrics: Metrics) -> Table:
    """SmolLM2's answers, with a column for each task."""
    tasks = [Measure("smollm2-135m", "zero_shot", task, "acc") for task in TASKS]
    original = [metrics.of(measure, None) for measure in tasks]
    spiking = [metrics.of(measure, "t16h5") for measure in tasks]
    return Table(
        slug="zero-shot",
        title="",
        columns=("zero-shot accuracy, 100 items each", *TASKS.values()),
        rows=(
            Row(("original", *(Number(f.score, f.stderr, ".1f") for f in original))),
            Row(("T = 16, H = 5", *(Number(f.score, f.stderr, ".1f") for f in spiking))),
            Row(("same answer", *(f"{f.agreement:.1f} %" for f in spiking))),
        ),
    )


MINILM = (
    ORIGINAL,
    System("**T = 16, H = 5**", "t16h5"),
    System("T = 13, H = 5", "t13h5"),
    System("T = 11, H = 5", "t11h5"),
    System("T = 10, H = 5", "t10h5"),
    System("T = 8, H = 5", "t8h5"),
    System("T = 16, H = 1", "t16h1"),
    *FRUGAL,
)


def minilm(metrics: Metrics) -> Table:
    """MiniLM on rated pairs."""
    columns = similarity_columns(metrics, "all-MiniLM-L6-v2, Spearman x 100", "energy, Eq. 25")
    return tabulate("minilm", "", columns, MINILM)


def levels(metrics: Metrics) -> Table:
    """MiniLM's ratios of energies against H, beside the paper's of BERT.

    The frugal neurons with H = 16 stand in the last column, that of the paper's highest H.
    """
    paper = cited_table(5)
    (cited,) = (row for row in paper.rows if row[1] == "E_snn/E_ann")
    hs = cited_levels()
    free = {1: "frugal-h1", 5: "frugal-h5"}

    def ratio(neuron: str) -> Cell:
        return energy("", ".3f").cell(metrics.of(measures.PAIRS, neuron))

    frugal = [ratio(free[h]) if h in free else None for h in hs[:-1]]
    return Table(
        slug="levels",
        title="",
        columns=("E_snn/E_ann, T = 16", f"H = {hs[0]}", *map(str, hs[1:])),
        rows=(
            Row(("the paper, BERT", *cited[3:]), source="cited"),
            Row(("released thresholds", *(ratio(f"released-h{h}") for h in hs))),
            Row(("LAS", *(ratio(f"t16h{h}") for h in hs))),
            Row(("frugal, 3.5e-4, T free", *frugal, f"{ratio('frugal')} (H = 16)")),
        ),
    )


class Trained(NamedTuple):
    """A row: a model that was trained here.

    Attributes:
        title, measured: its first two cells.
        measure: what they say.
        spec: format of the scores.
        neuron: the neuron's name.
    """

    title: str
    measured: str
    measure: Measure
    spec: str
    neuron: str = "t16h5"


TRAINED = (
    Trained("GPT-2 architecture", "perplexity, held-out articles", measures.GPT2, ".3f"),
    Trained("", "bits per byte, held-out XML", measures.GPT2_XML, ".3f"),
    Trained("OPT architecture", "perplexity, held-out articles", measures.OPT, ".3f"),
    Trained("", "bits per byte, held-out XML", measures.OPT_XML, ".3f"),
    Trained("LLaVA-1.5 architecture", "easy-VQA accuracy, 1,000 questions", measures.LLAVA, ".1f"),
    Trained(
        "the same, vision tower analog", "the same", measures.LLAVA, ".1f", "t16h5-analog-vision"
    ),
    Trained("Qwen2-VL architecture", "the same", measures.QWEN2_VL, ".1f"),
    Trained("MiniLM with a head", "SST-2 accuracy, 319 held-out sentences", measures.SST2, ".1f"),
)
TRAINED_FRUGAL = (
    Trained("GPT-2 architecture", "perplexity", measures.GPT2, ".2f"),
    Trained("OPT architecture", "perplexity", measures.OPT, ".2f"),
    Trained("LLaVA-1.5 architecture", "easy-VQA accuracy", measures.LLAVA, ".1f"),
    Trained("Qwen2-VL architecture", "the same", measures.QWEN2_VL, ".1f"),
    Trained("MiniLM with a head", "SST-2 accuracy", measures.SST2, ".1f"),
)


def trained_here(metrics: Metrics) -> Table:
    """Models trained here, lossless; accuracies with their standard errors."""

    def scored(row: Trained, neuron: str | None) -> Number:
        figure = metrics.of(row.measure, neuron)
        stderr = figure.stderr if row.measure.metric == "acc" else None
        return Number(figure.score, stderr, row.spec)

    head = "models [trained here](pipeline.md#models-trained-here), T = 16, H = 5"
    columns: list[Column[Trained]] = [
        Column(head, lambda row: row.title),
        Column("measure", lambda row: row.measured),
        Column("original", lambda row: scored(row, None)),
        Column("spiking", lambda row: scored(row, row.neuron)),
        *(
            column.of(lambda row: metrics.of(row.measure, row.neuron))
            for column in (agreement("same answer"), loss("mean KL"), energy("energy"))
        ),
    ]
    return tabulate("trained-here", "", columns, TRAINED)


def trained_here_frugal(metrics: Metrics) -> Table:
    """Models trained here, with neurons that may lose a little."""

    def scored(neuron: str | None) -> Column[Trained]:
        def value(row: Trained) -> Cell:
            return Number(metrics.of(row.measure, neuron).score, spec=row.spec)

        return Column(neuron or "original", value)

    def shown(column: Column[Figure], neuron: str) -> Column[Trained]:
        return column.of(lambda row: metrics.of(row.measure, neuron))

    columns: list[Column[Trained]] = [
        Column("models trained here", lambda row: row.title),
        Column("measure", lambda row: row.measured),
        scored(None),
    ]
    for neuron in ("frugal", "frugal-1pc"):
        columns += [
            scored(neuron),
            shown(loss("mean KL"), neuron),
            shown(energy("energy", ".3f"), neuron),
        ]
    return tabulate("trained-here-frugal", "", columns, TRAINED_FRUGAL)


STEPS = (6, 8, 10, 12, 14, 16)


def stopping_early(metrics: Metrics) -> Table:
    """What SmolLM2 loses that is stopped after t time steps."""

    def divergence(t: int) -> Cell:
        measure = Measure("smollm2-135m", "anytime", "wikipedia", f"perplexity_after_{t}")
        return loss("").cell(metrics.of(measure, "t16h5"))

    head = "SmolLM2-135M stopped after t of its 16 steps"
    return Table(
        slug="stopping-early",
        title="",
        columns=(head, f"t = {STEPS[0]}", *map(str, STEPS[1:])),
        rows=(Row(("mean KL to the original, 4 x 128 tokens", *map(divergence, STEPS))),),
    )

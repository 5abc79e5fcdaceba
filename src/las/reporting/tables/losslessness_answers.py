"""Questions and classes: what both models answer, for every (T, H)."""

from __future__ import annotations

from las.reporting.column import Column, tabulate
from las.reporting.names import ann_number, snn_number
from las.reporting.results import Results
from las.reporting.table import Table
from las.reporting.tables.scored import (
    KL,
    LEVELS,
    METRIC,
    MODEL,
    NEURONS,
    SPIKING_NOTE,
    SPIKING_OF_ITS_CELL,
    TASK,
    TIME_STEPS,
    Scored,
    percent,
    scored,
)

_OF_OTHER_TABLES = ("perplexity", "bits_per_byte", "spearman", "pearson")


def losslessness_of_answers(results: Results) -> Table:
    """A row for every score that counts answers."""
    return tabulate(
        slug="losslessness_answers",
        title="Losslessness: questions and classes",
        columns=(
            MODEL,
            TASK,
            METRIC,
            NEURONS,
            TIME_STEPS,
            LEVELS,
            Column[Scored]("ANN", lambda row: ann_number(row.score)),
            Column[Scored]("SNN", lambda row: snn_number(row.score)),
            Column[Scored]("Change", _change, "+.2f"),
            Column[Scored]("Same answer, %", lambda row: percent(row.score.agreement), ".2f"),
            KL,
            Column[Scored](
                "Most frequent answer, %",
                lambda row: percent(row.score.extra.get("majority")),
                ".2f",
            ),
            Column[Scored](
                "Without looking, %", lambda row: percent(row.score.extra.get("blind")), ".2f"
            ),
            Column[Scored]("Items", lambda row: row.score.items),
            *SPIKING_OF_ITS_CELL,
        ),
        subjects=[
            row
            for row in scored(results)
            if row.score.metric not in _OF_OTHER_TABLES and "after_steps" not in row.score.extra
        ],
        notes=(
            "Accuracies and F1 in %, ± standard error; change in points. Same answer: share of the "
            "items that both models answer alike, whether rightly or not. Most frequent answer: "
            "what always giving it would score. Without looking: what the most frequent answer to "
            "the same question would. " + SPIKING_NOTE,
        ),
        text_columns=4,
    )


def _change(row: Scored) -> float:
    return snn_number(row.score).value - ann_number(row.score).value

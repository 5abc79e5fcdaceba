"""Language models: perplexity, KL and top-1 agreement for every (T, H)."""

from __future__ import annotations

from las.reporting.column import tabulate
from las.reporting.results import Results
from las.reporting.table import Table
from las.reporting.tables.scored import (
    LEVELS,
    MODEL,
    NEURONS,
    PERPLEXITIES,
    SPIKING_NOTE,
    SPIKING_OF_ITS_CELL,
    TEXT,
    TIME_STEPS,
    scored,
)


def losslessness_of_text(results: Results) -> Table:
    """A row for every perplexity."""
    return tabulate(
        slug="losslessness_text",
        title="Losslessness: language models",
        columns=(MODEL, TEXT, NEURONS, TIME_STEPS, LEVELS, *PERPLEXITIES, *SPIKING_OF_ITS_CELL),
        subjects=[row for row in scored(results) if row.score.metric == "perplexity"],
        notes=(
            "Change: paired over windows, ± standard error. KL: mean per token, both models on the "
            "same tokens. " + SPIKING_NOTE,
        ),
        text_columns=3,
    )

"""Table 2: perplexity and bits per byte."""

from __future__ import annotations

from las.reporting.paper.score_table import Columns, beside_the_paper
from las.reporting.results import Results
from las.reporting.table import Table

COLUMNS: Columns = {
    "En8": (("enwik8", "bits_per_byte"),),
    "WT": (("wikitext103", "perplexity"),),
}
_METRICS = ("bits_per_byte", "perplexity")


def table_2(results: Results) -> Table:
    """Perplexity and bits per byte."""
    return beside_the_paper(2, results, COLUMNS, lambda score: score.metric in _METRICS)

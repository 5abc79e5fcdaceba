"""Table 1: zero-shot accuracy."""

from __future__ import annotations

from las.reporting.paper.score_table import Columns, beside_the_paper, key_of, keys_in
from las.reporting.results import Results
from las.reporting.table import Table

COLUMNS: Columns = {
    "PIQA": (("piqa", "acc"),),
    "ARC": (("arc_easy", "acc"),),
    "OpenbookQA": (("openbookqa", "acc"),),
    "Winogrande": (("winogrande", "acc"),),
    "COPA": (("copa", "acc"),),
    "WSC": (("wsc273", "acc"),),
    "RTE": (("rte", "acc"),),
}
_SHOWN = keys_in(COLUMNS)


def table_1(results: Results) -> Table:
    """Zero-shot accuracy."""
    return beside_the_paper(1, results, COLUMNS, lambda score: key_of(score) in _SHOWN)

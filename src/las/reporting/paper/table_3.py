"""Table 3: language understanding of encoders."""

from __future__ import annotations

from las.evaluation.score import Score
from las.reporting.paper.score_table import Columns, beside_the_paper, key_of, keys_in
from las.reporting.results import Results
from las.reporting.table import Table

COLUMNS: Columns = {
    "QQP": (("glue_qqp", "acc"),),
    "MNLI-m": (("glue_mnli", "acc"),),
    "SST-2": (("glue_sst2", "acc"),),
    "QNLI": (("glue_qnli", "acc"),),
    "RTE": (("glue_rte", "acc"),),
    "MRPC": (("glue_mrpc", "acc"), ("glue_mrpc", "f1")),
    "STS-B": (("glue_stsb", "pearson"), ("glue_stsb", "spearman")),
}
_IN_PAPER = keys_in(COLUMNS)


def table_3(results: Results) -> Table:
    """Language understanding of encoders."""
    return beside_the_paper(3, results, COLUMNS, of_encoders)


def of_encoders(score: Score) -> bool:
    """Whether a score is one of the paper's of encoders, or a similarity."""
    return key_of(score) in _IN_PAPER or score.metric == "spearman"

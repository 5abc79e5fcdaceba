"""Table 4: vision-language tasks."""

from __future__ import annotations

from las.evaluation.score import Score
from las.reporting.paper.score_table import Columns, beside_the_paper, key_of, keys_in
from las.reporting.results import Results
from las.reporting.table import Table

COLUMNS: Columns = {
    "ScienceQA": (("ScienceQA_TEST", "acc"),),
    "RealWorldQA": (("RealWorldQA", "acc"),),
    "BLINK": (("BLINK", "acc"),),
    "POPE": (("POPE", "f1"),),
    "HallusionBench": (("HallusionBench", "aAcc+fAcc+qAcc"),),
    "MMStar": (("MMStar", "acc"),),
    "MME": (("MME", "mme"),),
}
_IN_PAPER = keys_in(COLUMNS)
_EASY_VQA = ("easy-vqa", "EasyVQA_MCQ", "EasyVQA_YORN")


def table_4(results: Results) -> Table:
    """Vision-language tasks."""
    return beside_the_paper(4, results, COLUMNS, _shown)


def _shown(score: Score) -> bool:
    return key_of(score) in _IN_PAPER or score.task in _EASY_VQA

"""WordSim-353 and SimLex-999: pairs of words, tab-separated, with a mean human rating (0-10)."""

from __future__ import annotations

from pathlib import Path

from las.data.rated_pairs import RatedPair, read_table


def read_word_pairs(path: Path) -> list[RatedPair]:
    """Read `wordsim353.tsv` or `simlex999.txt`. Raises as `read_table` does."""
    return read_table(path, "word-pair file", "\t")

"""STS-B: sentence pairs as CSV without a header (sentence, sentence, score from 0 to 5)."""

from __future__ import annotations

from pathlib import Path

from las.data.rated_pairs import RatedPair, read_table


def read_stsb(path: Path) -> list[RatedPair]:
    """Read one split of STS-B. Raises as `read_table` does."""
    return read_table(path, "STS-B file", ",")

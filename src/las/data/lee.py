"""The Lee set: 50 news texts, and for every two of them how similar people found them (0-1)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from las.data.rated_pairs import RatedPair, require_file


def read_lee(directory: Path) -> list[RatedPair]:
    """Pair up the documents with their ratings.

    Arguments:
        directory: holds `lee.cor`, one document per line, and `similarities0-1.txt`, a square
            matrix of which only the upper triangle is filled.

    Returns:
        n (n - 1) / 2 pairs for n documents.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: an entry is no number, or the matrix does not fit the documents.
    """
    documents, similarities = directory / "lee.cor", directory / "similarities0-1.txt"
    require_file(documents, "Lee documents")
    require_file(similarities, "Lee similarities")
    lines = documents.read_text("latin-1").split("\n")  # the set is from 2005: a pound sign is A3
    texts = [line.strip() for line in lines if line.strip()]
    rows = [line.split() for line in similarities.read_text("utf-8").splitlines() if line.strip()]
    if len(rows) != len(texts) or any(len(row) != len(texts) for row in rows):
        raise ValueError(
            f"{similarities} must be a {len(texts)} x {len(texts)} matrix, for the {len(texts)}"
            f" documents of {documents}; it has {len(rows)} rows"
        )
    if len(texts) < 2:
        raise ValueError(f"{documents} must hold at least two documents")
    return [
        RatedPair(texts[i], texts[j], float(rows[i][j]))
        for i, j in combinations(range(len(texts)), 2)
    ]

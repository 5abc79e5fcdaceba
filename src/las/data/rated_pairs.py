"""A pair of texts with a human rating: the common form of all similarity sets."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RatedPair:
    """Two texts and how similar people found them (the unit is the data set's own)."""

    first: str
    second: str
    rating: float

    def __post_init__(self) -> None:
        if not self.first.strip() or not self.second.strip():
            raise ValueError(f"a rated pair needs two texts, got {self.first!r}, {self.second!r}")
        if not math.isfinite(self.rating):
            raise ValueError(f"the rating of {self.first!r}, {self.second!r} is not a number")


def require_file(path: Path, what: str) -> None:
    """Raise a FileNotFoundError that says how to get `what` if there is no file at `path`."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no {what} at {path}: fetch the data assets first, or set its path in the"
            " evaluation's config"
        )


def read_table(path: Path, what: str, delimiter: str) -> list[RatedPair]:
    """Read rows `first, second, rating`; lines that begin with # are comments.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a row has not three fields, an empty text or no number, or there is no row;
            the message names the line.
    """
    require_file(path, what)
    pairs = []
    with path.open(encoding="utf-8", newline="") as file:
        if delimiter == ",":
            reader = csv.reader(file)
        else:  # a quotation mark in a tab-separated file is only a character
            reader = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        for row in reader:
            if not row or row[0].startswith("#"):
                continue
            try:
                first, second, rating = row
                pairs.append(RatedPair(first.strip(), second.strip(), float(rating)))
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not pairs:
        raise ValueError(f"{path} holds no pairs")
    return pairs

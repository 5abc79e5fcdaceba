"""A side for every text by its hash alone, so that it never changes sides when a set grows."""

from __future__ import annotations

import hashlib


def position(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, spread evenly over texts."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64

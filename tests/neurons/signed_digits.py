"""Numbers as sums and differences of powers of two, by trying all of them."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

POWERS = [2**k for k in range(7)]


@cache
def fewest_digits(number: int) -> int:
    """How few powers of two, each added or subtracted, make a number from 0 to 63."""
    for digits in range(5):
        for powers in combinations(POWERS, digits):
            for signs in product((1, -1), repeat=digits):
                if sum(s * p for s, p in zip(signs, powers, strict=True)) == number:
                    return digits
    raise ValueError(f"{number} takes more than four digits")

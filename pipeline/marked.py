"""Pages of which a part is made from data."""

from __future__ import annotations


def put_between(text: str, mark: str, made: str) -> str:
    """A page with something in the place of what stands between its two marks.

    Arguments:
        text: the page.
        mark: a line that stands before and after that part.
        made: what comes there.

    Raises:
        ValueError: there are not two marks.
    """
    if text.count(mark) != 2:
        raise ValueError(f"what is made from data goes between two lines {mark}")
    before, _, after = text.split(mark)
    return f"{before}{mark}\n\n{made}\n\n{mark}{after}"

"""Module paths that users give: checked, with suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from torch import nn

from las.errors import AccountError
from las.options import shown


def checked_names(model: nn.Module, option: str, names: Iterable[str] | None) -> tuple[str, ...]:
    """Module paths of a model; none if none are given.

    Raises:
        AccountError: one is no module of the model.
    """
    if names is None:
        return ()
    if isinstance(names, str):
        names = (names,)
    known = [path for path, _ in model.named_modules() if path]
    given = tuple(names)
    for name in given:
        if name not in known:
            close = get_close_matches(str(name), known, n=3, cutoff=0.5)
            there = f"did you mean {' or '.join(close)}?" if close else f"it has {_some(known)}"
            raise AccountError(
                f"{option} names {shown(name)}, and {type(model).__name__} has no such module: "
                f"{there}"
            )
    return given


def within(path: str, names: Sequence[str]) -> bool:
    """Whether a module is one of those named, or lies in one of them."""
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _some(names: Sequence[str], number: int = 8) -> str:
    more = f" and {len(names) - number} more" if len(names) > number else ""
    return ", ".join(names[:number]) + more

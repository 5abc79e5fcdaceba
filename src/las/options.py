"""What callers give as options: checked, and made plain Python of NumPy, torch or OmegaConf."""

from __future__ import annotations

import math
from numbers import Integral, Number, Real
from typing import Any, TypeVar, get_args

Kind = TypeVar("Kind")

_LONGEST = 80


def whole_number(name: str, value: Any, low: int, high: float = math.inf) -> int:
    """An option that is a whole number; True and False are none.

    Arguments:
        name: what the option is called.
        value: what was given.
        low: the smallest that is allowed.
        high: the largest.

    Raises:
        ValueError: it is none, or out of range.
    """
    plain = _plain(value)
    number = int(plain) if _counts(plain, Integral) else None
    if number is None or not low <= number <= high:
        allowed = f"{low} to {high}" if high < math.inf else f"{low} or more"
        raise ValueError(f"{name} must be a whole number, {allowed}, got {shown(value)}")
    return number


def finite_number(name: str, value: Any, low: float) -> float:
    """An option that is a finite number of `low` at least; otherwise as `whole_number`."""
    plain = _plain(value)
    number = float(plain) if _counts(plain, Real) else math.nan
    if not low <= number < math.inf:
        raise ValueError(f"{name} must be a finite number, at least {low}, got {shown(value)}")
    return number


def one_of(name: str, value: Any, words: Any) -> Any:
    """An option that is one of the words of a `Literal`; otherwise as `whole_number`."""
    plain = _plain(value)
    if not isinstance(plain, str) or plain not in get_args(words):
        raise ValueError(f"{name} must be one of {get_args(words)}, got {shown(value)}")
    return str(plain)


def instance_of(name: str, value: Any, kind: type[Kind], advice: str) -> Kind:
    """An argument of a class.

    Arguments:
        name: what the argument is called.
        value: what was given.
        kind: the class.
        advice: how to come by one.

    Raises:
        ValueError: it is of another one.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be a {kind.__name__}, got {shown(value)}: {advice}")
    return value


def shown(value: object) -> str:
    """What was given, on one line: words and numbers as they are, else of what class it is."""
    if value is None or isinstance(value, (str, Number)):
        text = repr(value)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value).__name__
    return f"an {kind}" if kind[0] in "AEIOUaeiou" else f"a {kind}"


def _counts(plain: Any, kind: type) -> bool:
    """Whether a value is a number of a kind; True and False are none."""
    return isinstance(plain, kind) and not isinstance(plain, bool)


def _plain(value: Any) -> Any:
    """What a scalar of NumPy or torch, or a node of OmegaConf, holds; anything else as it is."""
    unwrap = getattr(value, "item", None) or getattr(value, "_value", None)
    if not callable(unwrap):
        return value
    try:
        return unwrap()
    except (TypeError, ValueError, RuntimeError):  # more than one number
        return value

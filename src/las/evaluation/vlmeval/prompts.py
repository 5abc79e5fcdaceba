"""What a model is asked about an item of an image set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import ascii_uppercase
from typing import Any

MULTIPLE_CHOICE, YES_OR_NO = "MCQ", "Y/N"
"""The kinds of sets, as VLMEvalKit names them."""

Prompt = Callable[[Mapping[str, Any]], str]
"""From the columns of an item to the text that goes with its images."""


def question(item: Mapping[str, Any]) -> str:
    """The question alone, for models that know no other form."""
    return str(item["question"])


def with_options(item: Mapping[str, Any]) -> str:
    """Hint, question and options by letter, of which one is asked for; as LLaVA is asked."""
    lines = [str(item["hint"])] if _given(item.get("hint")) else []
    lines.append(question(item))
    letters = [letter for letter in ascii_uppercase if _given(item.get(letter))]
    lines += [f"{letter}. {item[letter]}" for letter in letters]
    lines.append("Answer with the option's letter from the given choices directly.")
    return "\n".join(lines)


def yes_or_no(item: Mapping[str, Any]) -> str:
    """The question, with the demand for yes or no unless it is already part of it."""
    asked = question(item)
    return asked if "yes or no" in asked.lower() else f"{asked} Please answer yes or no."


def prompt_for(kind: str, style: str) -> Prompt | None:
    """The prompt of a kind of sets in a style, None for the set's own.

    Arguments:
        kind: VLMEvalKit's type of a set.
        style: "instructed" or "question".

    Raises:
        ValueError: there is no such style.
    """
    if style == "question":
        return question
    if style != "instructed":
        raise ValueError(f"prompt is one of instructed, question, not {style!r}")
    return {MULTIPLE_CHOICE: with_options, YES_OR_NO: yes_or_no}.get(kind)


def _given(value: Any) -> bool:
    """Whether a cell of a table holds something (an empty one is NaN, which is not itself)."""
    return value is not None and value == value

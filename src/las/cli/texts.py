"""A text file as batches: windows for a language model, lines for an encoder."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from las.cli.options import LENGTH, LINES_PER_WINDOW
from las.data.windows import (
    Window,
    evenly_spaced,
    padded_batches,
    token_windows,
    window_batches,
)
from las.hosts.loading import is_language_model

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_BATCH_SIZE = 4


def need_file(path: Path) -> None:
    """Raise FileNotFoundError before a model is loaded in vain."""
    if not path.is_file():
        raise FileNotFoundError(f"no such text file: {path}")


def batches(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, options: argparse.Namespace
) -> Iterator[dict[str, Tensor]]:
    """Forward kwargs from the text file `options.text`.

    Raises:
        ValueError: the model is an encoder with a decoder, or the text is too short.
    """
    if model.config.is_encoder_decoder:
        raise ValueError(
            f"a {type(model).__name__} reads one text and writes another, and a text file has no "
            "such pairs: use it in Python, with batches of input_ids, attention_mask and labels"
        )
    if is_language_model(model):
        return window_batches(windows(model, tokenizer, options), _BATCH_SIZE)
    lines = [line.strip() for line in _lines(options.text) if line.strip()]
    chosen = evenly_spaced(lines, _count(options, len(lines), LINES_PER_WINDOW))
    return padded_batches(
        sorted(chosen, key=len),
        tokenizer,
        batch_size=_BATCH_SIZE,
        max_length=_length(model, options),
    )


def windows(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, options: argparse.Namespace
) -> list[Window]:
    """Windows spread evenly over the text file `options.text`.

    Raises:
        ValueError: the text is too short.
    """
    texts = _paragraphs(options.text)
    found = list(token_windows(texts, tokenizer, _length(model, options)))
    return evenly_spaced(found, _count(options, len(found)))


def _count(options: argparse.Namespace, available: int, scale: int = 1) -> int:
    """How many windows to take: exactly as many as asked for, or the usual number at most."""
    if options.windows is not None:
        return int(options.windows)
    return max(1, min(options.usual_windows * scale, available))


def _length(model: PreTrainedModel, options: argparse.Namespace) -> int:
    """Tokens per window.

    Raises:
        ValueError: more than the model can read.
    """
    longest = getattr(model.config, "max_position_embeddings", None) or LENGTH
    if options.length is None:
        return min(LENGTH, longest)
    if options.length > longest:
        raise ValueError(f"--length {options.length} is more than the model's {longest} positions")
    return int(options.length)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error.reason}") from error


def _paragraphs(path: Path) -> Iterator[str]:
    """Texts between empty lines, one at a time."""
    paragraph: list[str] = []
    for line in _lines(path):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield "".join(paragraph).rstrip("\n")
            paragraph = []
    if paragraph:
        yield "".join(paragraph).rstrip("\n")

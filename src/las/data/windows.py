"""Text to token windows and padded batches: what calibration and perplexity feed to a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Item = TypeVar("Item")


@dataclass(frozen=True)
class Window:
    """A run of tokens cut from text.

    Attributes:
        input_ids: (L,) tokens. The first is context; the L - 1 others are predicted.
        byte_count: UTF-8 bytes of the source text that the predicted tokens stand for.
        word_count: words (runs between white space) that begin in the predicted tokens.
    """

    input_ids: Tensor
    byte_count: int
    word_count: int

    @property
    def predicted_tokens(self) -> int:
        """Number of tokens that have a token before them."""
        return self.input_ids.numel() - 1


def token_windows(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, length: int
) -> Iterator[Window]:
    """Cut texts, one after the other, into windows of exactly `length` tokens without overlap.

    The texts are joined by an empty line; no special tokens are added; what is left at the end is
    dropped. Streams: only one text is held.

    Arguments:
        texts: any iterable of texts.
        tokenizer: a fast tokenizer (one that knows the place of each token in the text).
        length: tokens per window, at least 2.

    Raises:
        ValueError: the texts together are shorter than one window, or `length` is below 2.
    """
    if length < 2:
        raise ValueError(f"a window needs at least 2 tokens, not {length}")
    ids = np.empty(0, dtype=np.int64)
    counts = np.empty((2, 0), dtype=np.int64)
    total = 0
    yielded = False
    for text in texts:
        new_ids, new_counts = _tokens(text + "\n\n", tokenizer)
        total += len(new_ids)
        ids = np.concatenate([ids, new_ids])
        counts = np.concatenate([counts, new_counts], axis=1)
        while len(ids) >= length:
            byte_count, word_count = counts[:, 1:length].sum(axis=1)
            yield Window(torch.from_numpy(ids[:length].copy()), int(byte_count), int(word_count))
            yielded = True
            ids, counts = ids[length:], counts[:, length:]
    if not yielded:
        raise ValueError(
            f"the text holds {total} tokens, but one window needs {length}: give more text or"
            " shorter windows"
        )


def evenly_spaced(items: Sequence[Item], count: int) -> list[Item]:
    """Pick `count` items spread evenly over the sequence, the first among them.

    Raises:
        ValueError: fewer than `count` items, or `count` below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    if len(items) < count:
        raise ValueError(
            f"{count} windows or texts are wanted but there are only {len(items)}: give more text,"
            " or ask for fewer or shorter ones"
        )
    return [items[i * len(items) // count] for i in range(count)]


def window_batches(windows: Iterable[Window], batch_size: int) -> Iterator[dict[str, Tensor]]:
    """Stack windows of one length into forward kwargs.

    Yields:
        `input_ids` and `attention_mask`, both (B, L), B at most `batch_size`.

    Raises:
        ValueError: there is no window, or `batch_size` is below 1.
    """
    for group in _groups(windows, batch_size, "windows"):
        input_ids = torch.stack([window.input_ids for window in group])
        yield {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}


def padded_batches(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, *, batch_size: int, max_length: int
) -> Iterator[dict[str, Tensor]]:
    """Tokenize each text with its special tokens, as an encoder reads it, and pad to the longest.

    Yields:
        forward kwargs, each (B, L) with B at most `batch_size` and L at most `max_length`;
        `attention_mask` is 0 on padding.

    Raises:
        ValueError: there is no text, or `batch_size` is below 1.
    """
    for group in _groups(texts, batch_size, "texts"):
        yield dict(
            tokenizer(
                group, padding=True, truncation=True, max_length=max_length, return_tensors="pt"
            )
        )


def _groups(items: Iterable[Item], size: int, what: str) -> Iterator[list[Item]]:
    if size < 1:
        raise ValueError(f"batch_size must be at least 1, not {size}")
    group: list[Item] = []
    empty = True
    for item in items:
        empty = False
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
    if empty:
        raise ValueError(f"no {what} to make batches of")


def _tokens(text: str, tokenizer: PreTrainedTokenizerBase) -> tuple[np.ndarray, np.ndarray]:
    """Token ids (n,), and per token the bytes and word starts of its share of the text (2, n).

    A token's share runs from its own start to the next token's, so the shares add up to the text
    exactly, whatever the tokenizer normalises or drops.
    """
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} does not tell the place of its tokens: use a fast"
            " tokenizer"
        )
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = np.asarray(encoded["input_ids"], dtype=np.int64)
    if not len(ids):
        return ids, np.empty((2, 0), dtype=np.int64)
    starts = np.array([start for start, _ in encoded["offset_mapping"]], dtype=np.int64)
    starts[0] = 0
    code_points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    sizes = 1 + (code_points > 0x7F) + (code_points > 0x7FF) + (code_points > 0xFFFF)
    space = np.fromiter((char.isspace() for char in text), dtype=bool, count=len(text))
    word_starts = ~space & np.concatenate([[True], space[:-1]])
    edges = np.append(starts, len(text))
    shares = [
        np.diff(np.concatenate([[0], np.cumsum(per_char)])[edges])
        for per_char in (sizes, word_starts)
    ]
    return ids, np.stack(shares)

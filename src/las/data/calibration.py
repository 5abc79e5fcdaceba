"""Batches to calibrate on: Wikipedia pages and questions that evaluation never sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from las.data.easy_vqa import read_questions
from las.data.visual_prompts import question_batch
from las.data.wikipedia import articles
from las.data.windows import evenly_spaced, padded_batches, token_windows, window_batches

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase, ProcessorMixin


def calibration_windows(
    dump: Path, tokenizer: PreTrainedTokenizerBase, *, count: int, length: int, batch_size: int
) -> Iterator[dict[str, Tensor]]:
    """Windows of tokens spread evenly over the calibration articles, for a language model.

    Arguments:
        dump: a Wikipedia dump.
        tokenizer: the model's.
        count: how many windows.
        length: tokens per window.
        batch_size: windows per batch.

    Returns:
        an iterator of forward kwargs, (B, length).

    Raises:
        ValueError: the articles are too short for so many windows.
        AssetError, FileNotFoundError: the dump is missing or damaged.
    """
    texts = (article.text for article in articles(dump, "calibration"))
    windows = list(token_windows(texts, tokenizer, length))
    return window_batches(evenly_spaced(windows, count), batch_size)


def calibration_texts(
    dump: Path, tokenizer: PreTrainedTokenizerBase, *, count: int, length: int, batch_size: int
) -> Iterator[dict[str, Tensor]]:
    """Titles and paragraphs spread evenly over the calibration articles, for an encoder.

    An encoder reads anything from one word to a page, so the titles are among the texts. Texts of
    like length share a batch.

    Arguments:
        dump: a Wikipedia dump.
        tokenizer: the model's.
        count: how many texts.
        length: tokens per text at most; longer texts are cut.
        batch_size: texts per batch.

    Returns:
        an iterator of forward kwargs, (B, L), padding masked.

    Raises:
        ValueError: there are fewer texts.
        AssetError, FileNotFoundError: the dump is missing or damaged.
    """
    texts = [
        text
        for article in articles(dump, "calibration")
        for text in (article.title, *article.text.splitlines())
    ]
    chosen = sorted(evenly_spaced(texts, count), key=len)
    return padded_batches(chosen, tokenizer, batch_size=batch_size, max_length=length)


def calibration_questions(
    directory: Path, processor: ProcessorMixin, *, count: int, batch_size: int
) -> Iterator[dict[str, Tensor]]:
    """Questions about images of the split "train", spread evenly over it, with their answers.

    Arguments:
        directory: an easy-VQA directory.
        processor: the model's.
        count: how many questions.
        batch_size: questions per batch.

    Returns:
        an iterator of forward kwargs, (B, L), padding masked.

    Raises:
        ValueError: there are fewer questions.
        AssetError, FileNotFoundError: the data are missing or damaged.
    """
    chosen = evenly_spaced(read_questions(directory, "train"), count)
    for start in range(0, count, batch_size):
        yield question_batch(processor, chosen[start : start + batch_size], answered=True)

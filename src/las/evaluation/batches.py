"""Texts, or pairs of texts, as padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tqdm.auto import tqdm
from transformers import BatchEncoding, PreTrainedTokenizerBase


def batches_of_like_length(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[tuple[str, ...]],
    batch_size: int,
    max_length: int,
    task: str,
) -> Iterator[tuple[list[int], BatchEncoding]]:
    """Tokenize texts and pad each batch to its longest; the longest texts come first.

    Arguments:
        tokenizer: with a padding token.
        texts: all of one text, or all of two that the model reads together.
        batch_size: texts (pairs) per batch.
        max_length: tokens per text (pair); longer ones are cut.
        task: the name in the progress bar.

    Yields:
        The indices of the batch's texts, and the model's inputs as tensors (B, L).
    """

    def encode(chosen: Sequence[tuple[str, ...]], **options: object) -> BatchEncoding:
        columns = [list(column) for column in zip(*chosen, strict=True)]
        return tokenizer(*columns, truncation=True, max_length=max_length, **options)

    lengths = [len(ids) for ids in encode(texts)["input_ids"]]
    order = sorted(range(len(texts)), key=lambda i: lengths[i], reverse=True)
    for start in tqdm(range(0, len(order), batch_size), desc=f"{task}: batches", unit="batch"):
        indices = order[start : start + batch_size]
        yield indices, encode([texts[i] for i in indices], padding=True, return_tensors="pt")

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from las.data.windows import evenly_spaced, padded_batches, token_windows, window_batches


def test_windows_follow_each_other_and_count_bytes_and_words(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    windows = list(token_windows(["ab cd"], byte_tokenizer, 3))  # ab cd\n\n is 7 bytes
    assert [byte_tokenizer.decode(w.input_ids) for w in windows] == ["ab ", "cd\n"]
    assert [w.byte_count for w in windows] == [2, 2]
    assert [w.word_count for w in windows] == [0, 0]  # each word begins in the context token
    assert [w.predicted_tokens for w in windows] == [2, 2]
    (whole,) = token_windows(["ab cd"], byte_tokenizer, 7)
    assert (whole.byte_count, whole.word_count) == (6, 1)


def test_the_tail_of_one_text_begins_the_next_window(
    byte_tokenizer: PreTrainedTokenizerFast,
) -> None:
    windows = list(token_windows(["abc", "de"], byte_tokenizer, 4))
    assert [byte_tokenizer.decode(w.input_ids) for w in windows] == ["abc\n", "\nde\n"]


@given(st.text(min_size=1, max_size=40))
def test_bytes_of_a_window_are_those_of_the_text(text: str) -> None:
    vocabulary = {symbol: i for i, symbol in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    text = "a" + text  # the context token is one byte
    size = len((text + "\n\n").encode("utf-8", "surrogatepass"))
    (window,) = token_windows([text], fast, size)
    assert window.byte_count == size - 1
    assert window.word_count in (len(text.split()), len(text.split()) - 1)


def test_too_short_text_says_how_much_is_needed(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match=r"holds 5 tokens, but one window needs 64"):
        list(token_windows(["abc"], byte_tokenizer, 64))
    with pytest.raises(ValueError, match="holds 0 tokens"):
        list(token_windows([], byte_tokenizer, 64))


def test_a_window_of_one_token_is_refused(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        list(token_windows(["abc"], byte_tokenizer, 1))


def test_evenly_spaced_takes_the_first_and_never_one_twice() -> None:
    assert evenly_spaced(range(10), 4) == [0, 2, 5, 7]
    assert evenly_spaced(range(3), 3) == [0, 1, 2]
    with pytest.raises(ValueError, match="only 3"):
        evenly_spaced(range(3), 4)
    with pytest.raises(ValueError, match="at least 1"):
        evenly_spaced(range(3), 0)


def test_window_batches_are_forward_kwargs(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    windows = list(token_windows(["a" * 28], byte_tokenizer, 10))
    batches = list(window_batches(windows, 2))
    assert [tuple(batch["input_ids"].shape) for batch in batches] == [(2, 10), (1, 10)]
    assert all(bool(batch["attention_mask"].all()) for batch in batches)
    with pytest.raises(ValueError, match="no windows"):
        list(window_batches([], 2))
    with pytest.raises(ValueError, match="batch_size"):
        list(window_batches(windows, 0))


def test_padded_batches_mask_the_padding(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    (batch,) = padded_batches(["abc", "a"], byte_tokenizer, batch_size=4, max_length=2)
    assert torch.equal(batch["attention_mask"], torch.tensor([[1, 1], [1, 0]]))

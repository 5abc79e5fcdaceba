"""The tokenizer: every text there and back, the same from the same text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from las.data.windows import token_windows
from las.pretraining.tokenizer import END_OF_TEXT, train_tokenizer

TEXTS = ["the king of the city", "the river of the king <b>&amp;</b>", "a city in a new city"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, 280)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_frequent_runs_of_bytes_become_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer) == 280
    assert len(tokenizer(" the")["input_ids"]) == 1
    assert len(tokenizer("zxqj")["input_ids"]) == 4


def test_only_the_end_of_text_is_special(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.all_special_tokens == [END_OF_TEXT]
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.pad_token_id == 0
    assert (
        tokenizer("the king")["input_ids"]
        == tokenizer("the king", add_special_tokens=False)["input_ids"]
    )


def test_windows_stand_for_all_bytes_of_their_text(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "the city of Zürich, 東京 and 🜁 " * 20
    windows = list(token_windows([text], tokenizer, 8))
    seen = tokenizer.decode([i for window in windows for i in window.input_ids.tolist()])
    firsts = [tokenizer.decode(window.input_ids[:1]) for window in windows]
    # ASCII first tokens can be taken off; the text is long enough to have some that are not
    assert any(not first.isascii() for first in firsts)
    predicted = sum(window.byte_count for window in windows)
    assert predicted < len(seen.encode()) <= len((text + "\n\n").encode())
    whole = list(token_windows([text], tokenizer, len(tokenizer(text + "\n\n")["input_ids"])))
    (first,) = (tokenizer.decode(window.input_ids[:1]) for window in whole)
    assert whole[0].byte_count == len((text + "\n\n").encode()) - len(first.encode())


@pytest.mark.parametrize("parallel", ["true", "false"])
def test_the_same_texts_give_the_same_tokenizer(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch, parallel: str
) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", parallel)
    again = train_tokenizer(iter(TEXTS), 280)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_it_is_saved_whole(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.is_fast and loaded.all_special_tokens == [END_OF_TEXT]
    assert loaded(TEXTS[1])["input_ids"] == tokenizer(TEXTS[1])["input_ids"]


def test_a_vocabulary_without_room_for_all_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="no room for 256 bytes"):
        train_tokenizer(TEXTS, 256)

from __future__ import annotations

import pandas as pd
import pytest

from las.evaluation.vlmeval.prompts import (
    MULTIPLE_CHOICE,
    YES_OR_NO,
    prompt_for,
    question,
    with_options,
    yes_or_no,
)


def test_options_are_listed_by_their_letters_and_empty_ones_left_out():
    item = pd.Series({"question": "Which?", "A": "red", "B": 2, "C": float("nan"), "answer": "B"})
    assert with_options(item) == (
        "Which?\nA. red\nB. 2\nAnswer with the option's letter from the given choices directly."
    )


@pytest.mark.parametrize("hint", [None, float("nan")])
def test_a_hint_comes_first_if_there_is_one(hint):
    item = {"question": "Which?", "A": "red", "B": "blue"}
    assert with_options(item | {"hint": "Look."}) == f"Look.\n{with_options(item)}"
    assert with_options(item | {"hint": hint}) == with_options(item)


def test_yes_or_no_is_asked_for_once():
    once = yes_or_no({"question": "Is it red?"})
    assert once == "Is it red? Please answer yes or no."
    assert yes_or_no({"question": once}) == once


def test_the_style_decides_about_the_prompt():
    assert prompt_for(MULTIPLE_CHOICE, "instructed") is with_options
    assert prompt_for(YES_OR_NO, "instructed") is yes_or_no
    assert prompt_for("VQA", "instructed") is None
    assert prompt_for(MULTIPLE_CHOICE, "question") is prompt_for("VQA", "question") is question
    with pytest.raises(ValueError, match="instructed, question, not 'shouted'"):
        prompt_for(MULTIPLE_CHOICE, "shouted")

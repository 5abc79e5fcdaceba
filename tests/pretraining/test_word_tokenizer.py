from __future__ import annotations

from las.pretraining.word_tokenizer import word_tokenizer


def test_every_word_and_sign_is_one_token_and_marks_stay_whole() -> None:
    texts = ["Is there a circle?", "yes"]
    tokenizer = word_tokenizer(texts, pad="<pad>", bos="<s>", eos="</s>", marks=["USER:"])
    tokens = tokenizer.convert_ids_to_tokens(
        tokenizer("USER: is there a Circle? Yes</s>").input_ids
    )
    assert tokens == ["<s>", "USER:", "is", "there", "a", "circle", "?", "yes", "</s>"]
    assert tokenizer.decode(tokenizer("Yes.").input_ids, skip_special_tokens=True) == "yes"


def test_unknown_words_are_told_apart_from_known_ones() -> None:
    tokenizer = word_tokenizer(["red"], pad="<pad>", bos=None, eos="<end>", marks=[])
    assert tokenizer("a red hat").input_ids == [
        tokenizer.unk_token_id,
        tokenizer.convert_tokens_to_ids("red"),
        tokenizer.unk_token_id,
    ]


def test_the_order_of_the_texts_does_not_matter() -> None:
    names = {"pad": "<pad>", "bos": None, "eos": "<end>", "marks": ["<image>"]}
    one = word_tokenizer(["red blue", "blue green"], **names)
    other = word_tokenizer(["green red", "blue"], **names)
    assert one.get_vocab() == other.get_vocab()

"""A tokenizer with one token for each word, for languages as small as easy-VQA's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

UNKNOWN = "<unk>"


def word_tokenizer(
    texts: Iterable[str], *, pad: str, bos: str | None, eos: str, marks: Sequence[str]
) -> PreTrainedTokenizerFast:
    """Make a tokenizer of the words (runs of letters and digits) and signs of some texts.

    Capitals count as small letters; other words become `<unk>`. Batches are padded on the left,
    as generation wants it.

    Arguments:
        texts: what it must be able to read and write.
        pad, eos: the tokens that pad a row and end an answer.
        bos: the token put before every text, if any.
        marks: further special tokens, found in a text as they are written.
    """
    normalizer, splitter = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    words = {
        word
        for text in set(texts)
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    }
    specials = list(dict.fromkeys([pad, *([bos] if bos else []), eos, UNKNOWN, *marks]))
    vocabulary = {word: i for i, word in enumerate([*specials, *sorted(words - set(specials))])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    backend.normalizer = normalizer
    backend.pre_tokenizer = splitter
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, vocabulary[bos])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        unk_token=UNKNOWN,
        extra_special_tokens=list(marks),
        padding_side="left",
    )

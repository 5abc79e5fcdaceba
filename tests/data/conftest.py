from __future__ import annotations

import bz2
import html
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast


@pytest.fixture
def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, as a byte-level BPE without merges gives."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: i for i, symbol in enumerate(["<pad>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


def page(title: str, text: str, extra: str = "") -> str:
    return (
        f"  <page>\n    <title>{html.escape(title)}</title>\n    <ns>0</ns>\n{extra}"
        f'    <revision>\n      <text xml:space="preserve">{html.escape(text)}</text>\n'
        "    </revision>\n  </page>\n"
    )


@pytest.fixture
def write_dump(tmp_path: Path) -> Callable[[list[str]], Path]:
    """Write pages as a bz2 dump in the format of dumps.wikimedia.org."""

    def write(pages: list[str]) -> Path:
        path = tmp_path / "pages.xml.bz2"
        with bz2.open(path, "wt", encoding="utf-8") as file:
            file.write("<mediawiki>\n  <siteinfo>\n  </siteinfo>\n")
            file.writelines(pages)
            file.write("</mediawiki>\n")
        return path

    return write
